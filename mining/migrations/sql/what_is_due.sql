-- Providers for which the planner (mining/planner.py) may have something to do, and of what kind: all of them at once,
-- because a context for each, with a query for each kind, is what a quiet minute would cost. No wall lets the runtime
-- role look across providers; it learns their ids, and of no row more than that there is one.
-- It may name more than there is to do, never less: what is done is decided by the planner, inside the context.
-- p_lost: what a run says whose worker was lost. The turns are those of `slot` there.
CREATE FUNCTION mining_due(
    p_at timestamptz, p_subjects text[], p_cadences_s int[], p_each_account text[], p_lost text, p_stale interval,
    p_probe interval, p_touch interval, p_renew interval
) RETURNS TABLE (provider_id bigint, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT r.provider_id, 'runs' FROM mining_syncrun r
    WHERE r.state IN ('queued', 'running')
        AND (r.lease_until < p_at OR (r.state = 'queued' AND r.subject <> 'key' AND r.queued_at < p_at - p_stale))
    UNION
    SELECT login.provider_id, 'runs'
    FROM (SELECT c.provider_id, c.login_id FROM mining_credential c WHERE c.state = 'active') login
    CROSS JOIN unnest(p_subjects, p_cadences_s) AS s (subject, cadence_s)
    CROSS JOIN LATERAL (
        SELECT ('x' || left(encode(sha256(convert_to(login.login_id || '|' || s.subject, 'UTF8')), 'hex'), 8))::bit(32)::bigint
            % s.cadence_s AS shift_s
    ) turn
    LEFT JOIN LATERAL (
        SELECT r.state, r.error, coalesce(r.started_at, r.queued_at) AS read_at FROM mining_syncrun r
        WHERE r.provider_id = login.provider_id AND r.login_id = login.login_id AND r.subject = s.subject
        ORDER BY r.id DESC LIMIT 1
    ) newest ON true
    WHERE (s.subject <> ALL (p_each_account) OR EXISTS (
            SELECT FROM mining_miningaccount a
            WHERE a.provider_id = login.provider_id AND a.login_id = login.login_id
                AND a.unlisted_since IS NULL AND a.state <> 'creating'
        ))
        AND coalesce(newest.state NOT IN ('queued', 'running') AND (newest.error = p_lost
            OR (floor(extract(epoch FROM p_at)) + turn.shift_s)::bigint / s.cadence_s
                > (floor(extract(epoch FROM newest.read_at)) + turn.shift_s)::bigint / s.cadence_s), true)
    UNION
    SELECT i.provider_id, 'intents' FROM mining_poolintent i WHERE i.state IN ('planned', 'called', 'unknown')
    UNION
    SELECT c.provider_id, 'keys' FROM mining_credential c
    WHERE c.state = 'checking' OR (c.state = 'refused' AND c.checked_at < p_at - p_probe)
        OR (c.state = 'active' AND c.last_success_at < p_at - p_touch)
    UNION
    SELECT l.provider_id, 'links' FROM mining_watcherlink l
    WHERE l.renews AND l.state IN ('active', 'gone') AND l.live_until <= p_at + p_renew AND l.live_until > p_at - interval '7 days'
$$;
