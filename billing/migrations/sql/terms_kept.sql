-- Terms by which a document that counts was computed stay as they were: of such a version only the end may come nearer,
-- and not before the last day that was billed by it. What none used may be replaced: it is withdrawn, for ever, and
-- stays as history.

-- The last day billed by a version in a document that counts; null: not used yet. Goes by the customer's documents, which
-- have an index; lines have none by version.
CREATE FUNCTION billing_last_day_billed_by(version billing_contractversion) RETURNS date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT max(l.day) FROM billing_document d
    JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
    WHERE d.provider_id = version.provider_id AND d.customer_id = version.customer_id AND d.counts
        AND l.version_id = version.id
$$;
REVOKE EXECUTE ON FUNCTION billing_last_day_billed_by(billing_contractversion) FROM PUBLIC;

CREATE FUNCTION billing_version_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    last_day date;
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM 1 FROM billing_contract
        WHERE provider_id = NEW.provider_id AND id = NEW.contract_id AND customer_id = NEW.customer_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'version % is not of a contract of its customer', NEW.code USING ERRCODE = 'foreign_key_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'version %: it stays, and is withdrawn where nobody used it', OLD.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.withdrawn_at IS NOT NULL THEN
        RAISE EXCEPTION 'version % is withdrawn and does not change', OLD.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    last_day := billing_last_day_billed_by(OLD);
    IF (NEW.id, NEW.provider_id, NEW.code, NEW.contract_id, NEW.customer_id)
        IS DISTINCT FROM (OLD.id, OLD.provider_id, OLD.code, OLD.contract_id, OLD.customer_id) THEN
        RAISE EXCEPTION 'version % keeps its contract', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF last_day IS NULL THEN
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - 'valid' IS DISTINCT FROM to_jsonb(OLD) - 'valid'
        OR lower(NEW.valid) IS DISTINCT FROM lower(OLD.valid) THEN
        RAISE EXCEPTION 'version % billed the days up to %: only its end may change', OLD.code, last_day
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    -- An open end is later than any day.
    IF coalesce(upper(NEW.valid), 'infinity'::date) > coalesce(upper(OLD.valid), 'infinity'::date)
        OR coalesce(upper(NEW.valid), 'infinity'::date) <= last_day THEN
        RAISE EXCEPTION 'version % billed the days up to %: it may only end nearer, on that day or later', OLD.code, last_day
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_version_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_contractversion
FOR EACH ROW EXECUTE FUNCTION billing_version_guard();

CREATE FUNCTION billing_component_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    touched billing_contractcomponent;
    version billing_contractversion;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.provider_id, NEW.version_id, NEW.customer_id)
        IS DISTINCT FROM (OLD.id, OLD.provider_id, OLD.version_id, OLD.customer_id) THEN
        RAISE EXCEPTION 'a component stays in its version' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN touched := OLD; ELSE touched := NEW; END IF;
    SELECT * INTO version FROM billing_contractversion
    WHERE provider_id = touched.provider_id AND id = touched.version_id AND customer_id = touched.customer_id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no version % of this customer', touched.version_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF version.withdrawn_at IS NOT NULL OR billing_last_day_billed_by(version) IS NOT NULL THEN
        RAISE EXCEPTION 'version % was used by an issued document, or is withdrawn: its components stay', version.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN touched;
END $$;

CREATE TRIGGER billing_component_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_contractcomponent
FOR EACH ROW EXECUTE FUNCTION billing_component_guard();
