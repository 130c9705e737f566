-- Segwit addresses may be written in capitals; in base58 capitals count (mining/pool/addresses.py says the same).
CREATE FUNCTION billing_one_spelling(address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN lower(address) LIKE 'bc1%' AND address IN (lower(address), upper(address)) THEN lower(address)
        ELSE address
    END
$$;

-- What documents would bill though the pool paid it where nobody had agreed to, at any time, and no person let it pass.
-- What was paid before the first agreement of an account was no change behind our back: nothing was known of it.
-- No search_path of its own, so that it is planned as part of the query: who calls it as definer has set one.
CREATE FUNCTION billing_strays(of_provider bigint, documents bigint[])
RETURNS TABLE (document_id bigint, reward_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT l.document_id, l.reward_id
    FROM billing_documentline l
    JOIN mining_reward r ON r.provider_id = l.provider_id AND r.id = l.reward_id
    JOIN (
        SELECT a.mining_account_id, min(a.agreed_at) AS agreed_at FROM mining_payoutagreement a
        WHERE a.provider_id = of_provider
        GROUP BY a.mining_account_id
    ) first ON first.mining_account_id = r.mining_account_id AND first.agreed_at <= r.reward_at
    WHERE l.provider_id = of_provider AND l.document_id = ANY (documents)
        AND NOT EXISTS (
            SELECT 1 FROM mining_payoutagreement a
            WHERE a.provider_id = of_provider AND a.mining_account_id = r.mining_account_id
                AND a.destination = r.payout_destination
                AND (a.address IS NULL OR billing_one_spelling(a.address) = billing_one_spelling(r.payout_address))
        )
        AND NOT EXISTS (
            SELECT 1 FROM billing_rewardrelease p
            WHERE p.provider_id = of_provider AND p.reward_id = r.id AND p.destination = r.payout_destination
                AND p.address IS NOT DISTINCT FROM r.payout_address
        )
$$;

CREATE OR REPLACE FUNCTION billing_document_drift() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM mining_miningaccount
    WHERE provider_id = NEW.provider_id AND customer_id = NEW.customer_id AND payout_drift_since IS NOT NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is held: the rewards of its customer go elsewhere than was agreed', NEW.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM 1 FROM billing_strays(NEW.provider_id, ARRAY[NEW.id]);
    IF FOUND THEN
        RAISE EXCEPTION 'document % is held: a reward on it was paid where nobody had agreed to', NEW.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_release_kept BEFORE UPDATE OR DELETE ON billing_rewardrelease
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_release_not_truncated BEFORE TRUNCATE ON billing_rewardrelease
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
