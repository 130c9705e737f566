-- Whether the pool should list a reward of this account and day: it does for a day before and for one after, or the
-- account hashed by then. That it hashed counts once it was read after the end of the next day: a reward comes late.
CREATE FUNCTION mining_reward_due(of_provider bigint, account bigint, of_day date) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT (
        EXISTS (
            SELECT 1 FROM mining_reward r
            WHERE r.provider_id = of_provider AND r.mining_account_id = account AND r.day < of_day
        ) OR EXISTS (
            SELECT 1 FROM mining_hashratepoint24h p
            WHERE p.provider_id = of_provider AND p.mining_account_id = account AND p.ths_micro > 0
                AND p.at < (of_day + 1)::timestamp AT TIME ZONE 'UTC'
        )
    ) AND (
        EXISTS (
            SELECT 1 FROM mining_reward r
            WHERE r.provider_id = of_provider AND r.mining_account_id = account AND r.day > of_day
        ) OR EXISTS (
            SELECT 1 FROM mining_hashratepoint24h p
            JOIN mining_miningaccount a ON a.provider_id = of_provider AND a.id = account
            WHERE p.provider_id = of_provider AND p.mining_account_id = account AND p.ths_micro > 0
                AND p.at >= of_day::timestamp AT TIME ZONE 'UTC'
                AND p.at < date_trunc('day', a.rewards_read_at, 'UTC') - interval '1 day'
        )
    )
$$;
