-- A series counts up by one, never back, in the order of dates; and every number it gave out is on a document at commit.
CREATE FUNCTION billing_series_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'series % stays', OLD.series USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.last_sequence IS DISTINCT FROM 0 OR NEW.last_issued_on IS NOT NULL THEN
            RAISE EXCEPTION 'series % must begin at 0', NEW.series USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.provider_id, NEW.series) IS DISTINCT FROM (OLD.id, OLD.provider_id, OLD.series) THEN
        RAISE EXCEPTION 'series % keeps its name', OLD.series USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.last_sequence IS DISTINCT FROM OLD.last_sequence + 1 THEN
        RAISE EXCEPTION 'series % goes from % to %, not to %', OLD.series, OLD.last_sequence, OLD.last_sequence + 1, NEW.last_sequence
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.last_issued_on IS NULL OR NEW.last_issued_on < OLD.last_issued_on THEN
        RAISE EXCEPTION 'series % has a number of %: a later number can not be dated %', OLD.series, OLD.last_issued_on, NEW.last_issued_on
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_series_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_documentseries
FOR EACH ROW EXECUTE FUNCTION billing_series_guard();

CREATE FUNCTION billing_number_is_used() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM billing_document
    WHERE provider_id = NEW.provider_id AND series = NEW.series AND sequence = NEW.last_sequence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'number % of series % is on no document', NEW.last_sequence, NEW.series
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_number_is_used AFTER UPDATE ON billing_documentseries
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_number_is_used();
