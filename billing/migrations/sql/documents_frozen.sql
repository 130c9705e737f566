-- A document is computed freely as a draft. Once issued, carried or discarded nothing of it changes but an issued
-- one's status: it is voided, or written off and perhaps taken up again.

-- A document that counts and billed a reward after this one did: what it says rests on this one. Null: none. Asked by
-- the guard and by whoever is to be told before, each within what they may see.
CREATE FUNCTION billing_later_document(of_provider bigint, of_document bigint) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT d.number FROM billing_documentline l
    JOIN billing_documentline later ON later.provider_id = l.provider_id AND later.reward_id = l.reward_id
        AND later.id > l.id AND later.document_id <> l.document_id
    JOIN billing_document d ON d.provider_id = later.provider_id AND d.id = later.document_id
    WHERE l.provider_id = of_provider AND l.document_id = of_document AND d.counts
    ORDER BY d.id LIMIT 1
$$;

CREATE FUNCTION billing_document_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    line_count bigint;
    lines_sat numeric;
    opened billing_documentopen;
    culprit text;
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
        -- `counts` follows from the status, after this.
        IF to_jsonb(NEW) - 'status' - 'counts' IS DISTINCT FROM to_jsonb(OLD) - 'status' - 'counts' THEN
            RAISE EXCEPTION 'document % is % and does not change', OLD.code, OLD.status
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.status IS NOT DISTINCT FROM OLD.status THEN
            RETURN NEW;
        END IF;
        IF ((OLD.status, NEW.status) IN (('issued', 'voided'), ('issued', 'written_off'), ('written_off', 'issued')))
            IS NOT TRUE THEN
            RAISE EXCEPTION 'document % is %: it does not become %', OLD.code, OLD.status, NEW.status
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        SELECT * INTO opened FROM billing_documentopen
        WHERE provider_id = OLD.provider_id AND document_id = OLD.id FOR UPDATE;
        IF NEW.status = 'voided' THEN
            IF opened.settled IS DISTINCT FROM 0 THEN
                RAISE EXCEPTION 'document % is not voided: % of it is settled', OLD.code, opened.settled
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            culprit := billing_later_document(OLD.provider_id, OLD.id);
            IF culprit IS NOT NULL THEN
                RAISE EXCEPTION 'document % is not voided: % bills on what it billed', OLD.code, culprit
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
        IF NEW.status = 'written_off' AND (opened.settled < opened.total) IS NOT TRUE THEN
            RAISE EXCEPTION 'document % is not written off: nothing of it is open', OLD.code
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
        -- FOR SHARE: a foreign key's lock would not stop somebody from voiding what a line corrects.
        PERFORM 1 FROM billing_document d
        WHERE d.provider_id = NEW.provider_id AND d.id IN (
            SELECT c.document_id FROM billing_documentline l
            JOIN billing_documentline c ON c.provider_id = l.provider_id AND c.id = l.corrects_id
            WHERE l.provider_id = NEW.provider_id AND l.document_id = NEW.id AND l.corrects_id IS NOT NULL
        ) ORDER BY d.id FOR SHARE OF d;
        SELECT d.code INTO culprit FROM billing_documentline l
        JOIN billing_documentline c ON c.provider_id = l.provider_id AND c.id = l.corrects_id
        JOIN billing_document d ON d.provider_id = c.provider_id AND d.id = c.document_id
        WHERE l.provider_id = NEW.provider_id AND l.document_id = NEW.id AND NOT d.counts LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'document % corrects %, which does not count', NEW.code, culprit
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_document_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_document
FOR EACH ROW EXECUTE FUNCTION billing_document_guard();

-- What is open of it is counted from its issue on.
CREATE FUNCTION billing_document_opened() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO billing_documentopen (provider_id, document_id, customer_id, asset, total, settled)
    VALUES (NEW.provider_id, NEW.id, NEW.customer_id, NEW.asset, abs(NEW.balance_sat), 0);
    RETURN NULL;
END $$;

CREATE TRIGGER billing_document_opened AFTER UPDATE ON billing_document
FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'issued') EXECUTE FUNCTION billing_document_opened();
