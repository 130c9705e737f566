-- Series carry their account's customer, like a reward (reward_follows_account.sql), and have no foreign key: one look
-- at all accounts that a statement wrote for does both, at half of the price of a key and a third of a trigger by row.
CREATE FUNCTION mining_series_follow_account() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    homeless boolean;
    astray boolean;
BEGIN
    -- KEY SHARE: until this is committed no account can be given away (its customer is in a unique key, so that giving
    -- it away waits), while the readings may go on writing to the same accounts.
    PERFORM FROM mining_miningaccount AS account
    WHERE (account.provider_id, account.id) IN (SELECT provider_id, mining_account_id FROM fresh)
    ORDER BY account.id FOR KEY SHARE;
    SELECT coalesce(bool_or(account.id IS NULL), false),
           coalesce(bool_or(account.customer_id IS DISTINCT FROM fresh.customer_id), false)
    INTO homeless, astray
    FROM fresh LEFT JOIN mining_miningaccount AS account
        ON account.provider_id = fresh.provider_id AND account.id = fresh.mining_account_id;
    IF homeless THEN
        RAISE EXCEPTION 'no such mining account here' USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF astray THEN
        EXECUTE format(
            'UPDATE %I AS series SET customer_id = account.customer_id FROM mining_miningaccount AS account'
            ' WHERE account.provider_id = series.provider_id AND account.id = series.mining_account_id'
            ' AND series.customer_id IS DISTINCT FROM account.customer_id'
            ' AND (series.provider_id, series.mining_account_id) IN (SELECT provider_id, mining_account_id FROM fresh)',
            TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION mining_series_account_assigned() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    series text;
BEGIN
    FOREACH series IN ARRAY TG_ARGV[0]::text[] LOOP
        EXECUTE format('UPDATE %I SET customer_id = $1 WHERE provider_id = $2 AND mining_account_id = $3', series)
        USING NEW.customer_id, NEW.provider_id, NEW.id;
    END LOOP;
    RETURN NULL;
END $$;

DO $$
DECLARE
    all_series CONSTANT text[] := ARRAY[
        'mining_hashratepoint5m', 'mining_hashratepoint', 'mining_hashratepoint24h', 'mining_worker', 'mining_outage',
        'mining_counts', 'mining_opencoverage', 'mining_coverage', 'mining_expectedworkers', 'mining_uptimeday'];
    series text;
BEGIN
    FOREACH series IN ARRAY all_series LOOP
        EXECUTE format(
            'CREATE TRIGGER %I AFTER INSERT ON %I REFERENCING NEW TABLE AS fresh'
            ' FOR EACH STATEMENT EXECUTE FUNCTION mining_series_follow_account()', series || '_follows', series);
    END LOOP;
    EXECUTE format(
        'CREATE TRIGGER mining_series_account_assigned AFTER UPDATE OF customer_id ON mining_miningaccount'
        ' FOR EACH ROW WHEN (NEW.customer_id IS DISTINCT FROM OLD.customer_id)'
        ' EXECUTE FUNCTION mining_series_account_assigned(%L)', all_series);
END $$;
