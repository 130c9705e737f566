-- A mining account stays with its customer for ever, and is named once: rewards and documents hang from it.
CREATE FUNCTION mining_account_stays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.customer_id IS NOT NULL AND NEW.customer_id IS DISTINCT FROM OLD.customer_id THEN
        RAISE EXCEPTION 'mining account % stays with its customer', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (NEW.provider_id, NEW.login_id, NEW.name) IS DISTINCT FROM (OLD.provider_id, OLD.login_id, OLD.name) THEN
        RAISE EXCEPTION 'mining account % keeps its login and name', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER mining_account_stays BEFORE UPDATE ON mining_miningaccount
FOR EACH ROW EXECUTE FUNCTION mining_account_stays();
