-- Rewards that the pool paid where nobody had agreed to, at any time, and that no person let pass: the one rule, for
-- lists of rewards, for what drafts would bill and for the trigger.
-- What was paid before the first agreement of an account passes if that was found at the pool (only the first can be):
-- nothing was known of the account. A person agrees first, or a change of ours, only once something else was seen
-- there: what was paid before may be a stranger's. Without any agreement nothing can be called strange.
-- No search_path of its own, so that it is planned as part of the query: who calls it as definer has set one.
CREATE FUNCTION billing_paid_elsewhere(of_provider bigint) RETURNS SETOF mining_reward
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
            SELECT 1 FROM billing_rewardrelease p
            WHERE p.provider_id = of_provider AND p.reward_id = r.id AND p.destination = r.payout_destination
                AND p.address IS NOT DISTINCT FROM r.payout_address
        )
$$;

CREATE OR REPLACE FUNCTION billing_strays(of_provider bigint, documents bigint[])
RETURNS TABLE (document_id bigint, reward_id bigint)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT l.document_id, l.reward_id
    FROM billing_documentline l
    JOIN billing_paid_elsewhere(of_provider) r ON r.id = l.reward_id
    WHERE l.provider_id = of_provider AND l.document_id = ANY (documents)
$$;
