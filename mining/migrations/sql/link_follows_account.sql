-- A watcher link and an agreement carry their account's customer, like a reward (reward_follows_account.sql).
CREATE TRIGGER mining_link_customer BEFORE INSERT OR UPDATE OF customer_id, mining_account_id ON mining_watcherlink
FOR EACH ROW EXECUTE FUNCTION mining_customer_of_account();
CREATE TRIGGER mining_agreement_customer BEFORE INSERT ON mining_payoutagreement
FOR EACH ROW EXECUTE FUNCTION mining_customer_of_account();

CREATE FUNCTION mining_link_account_assigned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE mining_watcherlink SET customer_id = NEW.customer_id
    WHERE provider_id = NEW.provider_id AND mining_account_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER mining_link_account_assigned AFTER UPDATE OF customer_id ON mining_miningaccount
FOR EACH ROW WHEN (NEW.customer_id IS DISTINCT FROM OLD.customer_id) EXECUTE FUNCTION mining_link_account_assigned();

-- What a link is does not change: a row made for one account or one pool's link never comes to stand for another.
CREATE FUNCTION mining_link_stays() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.provider_id, NEW.mining_account_id, NEW.origin, NEW.name)
        IS DISTINCT FROM (OLD.provider_id, OLD.mining_account_id, OLD.origin, OLD.name)
        OR (OLD.pool_id IS NOT NULL AND NEW.pool_id IS DISTINCT FROM OLD.pool_id) THEN
        RAISE EXCEPTION 'watcher link % stays what it is', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER mining_link_stays BEFORE UPDATE ON mining_watcherlink
FOR EACH ROW EXECUTE FUNCTION mining_link_stays();
