-- Observations are append-only for the runtime role. The one exception (mining/retention.py) is what the pool said of a
-- reward before it was paid, once the reward is final and was so before p_before: never the latest one, none that tells
-- of a move, and none of a reward that was pending again: documents were held for that. Only of the provider whose
-- context is open.
CREATE FUNCTION mining_drop_pending_observations(p_provider bigint, p_before timestamptz, p_most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    dropped int;
BEGIN
    IF p_provider IS DISTINCT FROM nullif(current_setting('portal.provider', true), '')::bigint
        OR p_before > now() - interval '45 days' THEN
        RAISE EXCEPTION 'observations of provider % are not to be dropped', p_provider USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM mining_rewardobservation WHERE id IN (
        SELECT o.id FROM mining_reward r
        JOIN mining_rewardobservation o ON o.provider_id = r.provider_id AND o.reward_id = r.id
        -- Two weeks of days and not all years: what this passes over, because it changed late, is kept.
        WHERE r.provider_id = p_provider AND r.day >= p_before::date - 14 AND r.day <= p_before::date
            AND r.status = 'successful' AND r.missing_since IS NULL AND r.changed_at < p_before
            AND o.moved_from IS NULL AND o.raw::jsonb ->> 'status' = 'pending'
            AND NOT EXISTS (
                SELECT FROM mining_rewardobservation earlier
                WHERE earlier.provider_id = o.provider_id AND earlier.reward_id = o.reward_id AND earlier.id < o.id
                    AND earlier.raw::jsonb ->> 'status' <> 'pending'
            )
            AND EXISTS (
                SELECT FROM mining_rewardobservation later
                WHERE later.provider_id = o.provider_id AND later.reward_id = o.reward_id AND later.id > o.id
            )
        LIMIT p_most
    );
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;
