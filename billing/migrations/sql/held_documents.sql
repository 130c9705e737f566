-- Segwit addresses may be written in capitals; in base58 capitals count (mining/pool/addresses.py says the same).
CREATE FUNCTION billing_one_spelling(address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN lower(address) LIKE 'bc1%' AND address IN (lower(address), upper(address)) THEN lower(address)
        ELSE address
    END
$$;

-- Rewards that the pool paid where nobody had agreed to, at any time, and that no person approved: the one rule, for
-- lists of rewards, for what drafts would bill and for the trigger.
-- What was paid before the first agreement of an account passes if that was found at the pool (only the first can be):
-- nothing was known of the account. A person agrees first, or a change of ours, only once something else was seen
-- there: what was paid before may be a stranger's. Without any agreement nothing can be called strange.
-- No search_path of its own, so that it is planned as part of the query: who calls it as definer has set one.
CREATE FUNCTION billing_misdirected(of_provider bigint) RETURNS SETOF mining_reward
LANGUAGE sql STABLE AS $$
    SELECT r.* FROM mining_reward r
    WHERE r.provider_id = of_provider
        -- IS TRUE, so that this is a look into a set: as a join the planner, which expects few rows from any table behind
        -- a policy, would begin with all accounts even for one reward.
        AND (r.mining_account_id IN (
            SELECT a.mining_account_id FROM mining_payoutagreement a WHERE a.provider_id = of_provider
        )) IS TRUE
        AND NOT EXISTS (
            SELECT 1 FROM mining_payoutagreement a
            WHERE a.provider_id = of_provider AND a.mining_account_id = r.mining_account_id
                AND (
                    (a.source = 'found' AND a.agreed_at > r.reward_at)
                    OR (
                        a.destination = r.payout_destination
                        AND (
                            a.address IS NULL
                            OR billing_one_spelling(a.address) = billing_one_spelling(r.payout_address)
                        )
                    )
                )
        )
        AND NOT EXISTS (
            SELECT 1 FROM billing_rewardapproval p
            WHERE p.provider_id = of_provider AND p.reward_id = r.id AND p.destination = r.payout_destination
                AND p.address IS NOT DISTINCT FROM r.payout_address
        )
$$;

-- What documents would bill though it is misdirected.
CREATE FUNCTION billing_misdirected_on(of_provider bigint, documents bigint[])
RETURNS TABLE (document_id bigint, reward_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT l.document_id, l.reward_id
    FROM billing_documentline l
    JOIN billing_misdirected(of_provider) r ON r.id = l.reward_id
    WHERE l.provider_id = of_provider AND l.document_id = ANY (documents)
$$;

-- While the pool pays a customer's rewards elsewhere than was agreed, nothing is issued for the customer; and no
-- document that bills a misdirected reward.
CREATE FUNCTION billing_document_held() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM mining_miningaccount
    WHERE provider_id = NEW.provider_id AND customer_id = NEW.customer_id AND payout_drift_since IS NOT NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is held: the rewards of its customer go elsewhere than was agreed', NEW.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM 1 FROM billing_misdirected_on(NEW.provider_id, ARRAY[NEW.id]);
    IF FOUND THEN
        RAISE EXCEPTION 'document % is held: a reward on it was paid where nobody had agreed to', NEW.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- Triggers fire in the order of their names: this one before the guard, so that it says its own reason.
CREATE TRIGGER billing_document_a_hold BEFORE UPDATE ON billing_document
FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'issued') EXECUTE FUNCTION billing_document_held();

CREATE TRIGGER billing_approval_kept BEFORE UPDATE OR DELETE ON billing_rewardapproval
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_approval_not_truncated BEFORE TRUNCATE ON billing_rewardapproval
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
