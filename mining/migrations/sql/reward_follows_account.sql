-- A reward carries its account's customer, so that the policy needs no join. The database fills it in, and passes it on
-- when an unassigned account is given to its customer: code cannot forget it.
CREATE FUNCTION mining_customer_of_account() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    account mining_miningaccount;
BEGIN
    -- FOR SHARE: while this row is uncommitted the account cannot be given away, or the row would be left behind.
    SELECT * INTO account FROM mining_miningaccount
    WHERE provider_id = NEW.provider_id AND id = NEW.mining_account_id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no mining account % here', NEW.mining_account_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    NEW.customer_id := account.customer_id;
    RETURN NEW;
END $$;

CREATE TRIGGER mining_reward_customer BEFORE INSERT OR UPDATE OF customer_id, mining_account_id ON mining_reward
FOR EACH ROW EXECUTE FUNCTION mining_customer_of_account();

CREATE FUNCTION mining_account_assigned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE mining_reward SET customer_id = NEW.customer_id
    WHERE provider_id = NEW.provider_id AND mining_account_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER mining_account_assigned AFTER UPDATE OF customer_id ON mining_miningaccount
FOR EACH ROW WHEN (NEW.customer_id IS DISTINCT FROM OLD.customer_id) EXECUTE FUNCTION mining_account_assigned();
