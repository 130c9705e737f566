CREATE OR REPLACE FUNCTION billing_strays(of_provider bigint, documents bigint[])
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

DROP FUNCTION billing_paid_elsewhere(bigint);
