-- A document is computed freely as a draft, and never again changed once issued, carried or discarded.
CREATE FUNCTION billing_document_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    line_count bigint;
    lines_sat numeric;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'document % is not deleted: a draft is discarded, an issued document stays', OLD.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status IS DISTINCT FROM 'draft' THEN
            RAISE EXCEPTION 'document % must begin as a draft', NEW.code USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        PERFORM 1 FROM billing_contract
        WHERE provider_id = NEW.provider_id AND id = NEW.contract_id AND customer_id = NEW.customer_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'document % is not of a contract of its customer', NEW.code USING ERRCODE = 'foreign_key_violation';
        END IF;
        RETURN NEW;
    END IF;

    IF OLD.status IS DISTINCT FROM 'draft' THEN
        IF to_jsonb(NEW) IS DISTINCT FROM to_jsonb(OLD) THEN
            RAISE EXCEPTION 'document % is % and does not change', OLD.code, OLD.status
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.status IS NULL OR NEW.status NOT IN ('draft', 'issued', 'carried', 'discarded') THEN
        RAISE EXCEPTION 'a draft is issued, carried or discarded, not %', NEW.status USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.id, NEW.provider_id, NEW.code, NEW.customer_id, NEW.contract_id, NEW.period, NEW.asset, NEW.created_at)
        IS DISTINCT FROM
       (OLD.id, OLD.provider_id, OLD.code, OLD.customer_id, OLD.contract_id, OLD.period, OLD.asset, OLD.created_at) THEN
        RAISE EXCEPTION 'document % keeps its customer, contract, period and asset', OLD.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    IF NEW.status = 'issued' THEN
        SELECT count(*), sum(amount_sat) INTO line_count, lines_sat FROM billing_documentline
        WHERE provider_id = NEW.provider_id AND document_id = NEW.id;
        IF line_count = 0 OR lines_sat IS DISTINCT FROM NEW.balance_sat THEN
            RAISE EXCEPTION 'document % says %, its % lines sum to %', NEW.code, NEW.balance_sat, line_count, lines_sat
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        -- Terms that were replaced bill nothing any more; nobody replaces them once they have.
        PERFORM 1 FROM billing_documentline l
        JOIN billing_contractversion v ON v.provider_id = l.provider_id AND v.id = l.version_id
        WHERE l.provider_id = NEW.provider_id AND l.document_id = NEW.id AND v.withdrawn_at IS NOT NULL;
        IF FOUND THEN
            RAISE EXCEPTION 'document % was computed by terms that are withdrawn', NEW.code
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        -- The number is the one that the series gave out last: nobody makes one up.
        PERFORM 1 FROM billing_documentseries
        WHERE provider_id = NEW.provider_id AND series = NEW.series AND last_sequence = NEW.sequence
            AND last_issued_on = NEW.issued_on
            AND NEW.number = NEW.series || '-' || lpad(NEW.sequence::text, 6, '0');
        IF NOT FOUND THEN
            RAISE EXCEPTION 'number % is not the one that series % gave out last', NEW.number, NEW.series
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_document_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_document
FOR EACH ROW EXECUTE FUNCTION billing_document_guard();
