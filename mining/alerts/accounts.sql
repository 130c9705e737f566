-- After states.sql: what each rule says of each account that belongs to a customer. `raised` and `cleared` are
-- three-valued: null is not known. A hashrate counts when its newest point is young; the newest is left out, for the
-- pool still changes it.
, rule AS MATERIALIZED (
    SELECT kind, customer_id AS for_customer_id, unit, threshold, coalesce(ends_at, threshold) AS ends_at,
           make_interval(mins => grace_minutes) AS grace, make_interval(mins => clear_minutes) AS clear_after,
           ((%(now)s::timestamptz AT TIME ZONE 'UTC') - coalesce(by_time, '00:00')::interval)::date - 1 AS due_day,
           coalesce(by_time, '00:00')::interval + interval '1 day' AS due_after
    FROM mining_alertrule
    WHERE provider_id = %(provider)s AND is_on AND kind = ANY (%(kinds)s::text[])
), standing AS MATERIALIZED (
    SELECT id, kind, for_customer_id, mining_account_id, stood_at, base, day FROM mining_alert
    WHERE provider_id = %(provider)s AND ended_at IS NULL AND mining_account_id IS NOT NULL AND worker_id IS NULL
), measured AS MATERIALIZED (
    SELECT account.id, account.customer_id, account.first_seen_at, account.rewards_read_at, state.read_at,
           state.state = 'excluded' AS is_excluded, state.expected,
           CASE WHEN state.state <> 'unknown' THEN state.down END AS down, state.expected - state.excluded AS rest,
           CASE WHEN point.newest_at >= %(now)s::timestamptz - interval '20 minutes' AND point.lately >= 2
                THEN point.ths END AS ths,
           CASE WHEN point.newest_at >= %(now)s::timestamptz - interval '20 minutes' THEN point.rejected END AS rejected,
           CASE WHEN day.points >= 12 AND day.ths > 0 THEN day.ths END AS mean_ths,
           account.idle_since <= state.read_at - %(idle_after)s::interval AS is_idle,
           EXISTS (SELECT FROM mining_credential AS key WHERE key.provider_id = account.provider_id
                   AND key.login_id = account.login_id AND key.state = 'active') AS has_key,
           EXISTS (SELECT FROM standing WHERE standing.mining_account_id = account.id
                   AND standing.kind = 'workers_offline' AND standing.for_customer_id IS NULL) AS has_fallen
    FROM state JOIN mining_miningaccount AS account ON account.provider_id = %(provider)s AND account.id = state.id
    CROSS JOIN LATERAL (
        SELECT max(at) AS newest_at, count(*) FILTER (WHERE number BETWEEN 2 AND 4) AS lately,
               avg(ths_micro) FILTER (WHERE number BETWEEN 2 AND 4) / 1000000 AS ths,
               avg(reject_ppm) FILTER (WHERE number >= 2) / 1000000 AS rejected
        FROM (SELECT at, ths_micro, reject_ppm, row_number() OVER (ORDER BY at DESC) AS number
              FROM mining_hashratepoint5m
              WHERE provider_id = %(provider)s AND mining_account_id = account.id
                AND at > %(now)s::timestamptz - interval '1 hour'
              ORDER BY at DESC LIMIT 7) AS newest
    ) AS point
    CROSS JOIN LATERAL (
        SELECT count(*) AS points, avg(ths_micro) / 1000000 AS ths FROM mining_hashratepoint
        WHERE provider_id = %(provider)s AND mining_account_id = account.id
          AND at > %(now)s::timestamptz - interval '25 hours' AND at <= %(now)s::timestamptz - interval '1 hour'
    ) AS day
    WHERE account.customer_id IS NOT NULL
), against AS (
    -- What it is held against stays for a week as it was when the hashrate fell: a mean falls with it.
    SELECT rule.*, measured.*, standing.id AS alert_id, standing.day AS of_day,
           CASE WHEN standing.stood_at > %(now)s::timestamptz - interval '7 days'
                THEN coalesce(standing.base, mean_ths) ELSE mean_ths END AS usual_ths,
           greatest(rule.threshold, CASE WHEN measured.is_idle THEN %(idle_minutes)s ELSE 0 END) AS oldest_minutes
    FROM rule JOIN measured ON rule.for_customer_id IS NULL OR rule.for_customer_id = measured.customer_id
    LEFT JOIN standing ON standing.kind = rule.kind AND standing.mining_account_id = measured.id
        AND standing.for_customer_id IS NOT DISTINCT FROM rule.for_customer_id
), found AS MATERIALIZED (
    SELECT kind, for_customer_id, grace, clear_after, id AS mining_account_id, customer_id, NULL::bigint AS worker_id,
           alert_id, %(now)s::timestamptz AS stood_at,
           is_excluded AND kind IN ('workers_offline', 'hashrate_low', 'reject_rate') AS is_silent,
           CASE kind
               WHEN 'workers_offline' THEN CASE WHEN rest > 0 THEN CASE unit
                   WHEN 'percent' THEN down * 100 >= threshold * rest AND down > 0 ELSE down >= threshold END END
               -- The machines that fell tell of the hashrate that fell with them.
               WHEN 'hashrate_low' THEN CASE WHEN for_customer_id IS NOT NULL OR NOT has_fallen THEN CASE unit
                   WHEN 'percent' THEN ths * 100 < threshold * usual_ths ELSE ths < threshold END END
               WHEN 'reject_rate' THEN rejected * 100 >= threshold
               WHEN 'data_old' THEN CASE WHEN has_key
                   THEN read_at <= %(now)s::timestamptz - oldest_minutes * interval '1 minute' END
               WHEN 'reward_missing' THEN CASE
                   WHEN EXISTS (SELECT FROM mining_reward AS reward WHERE reward.provider_id = %(provider)s
                                AND reward.mining_account_id = against.id AND reward.day = due_day) THEN false
                   WHEN rewards_read_at >= (due_day + due_after) AT TIME ZONE 'UTC'
                        AND first_seen_at < due_day::timestamp AT TIME ZONE 'UTC'
                        AND EXISTS (SELECT FROM mining_hashratepoint AS point
                                    WHERE point.provider_id = %(provider)s AND point.mining_account_id = against.id
                                      AND point.ths_micro > 0 AND point.at >= due_day::timestamp AT TIME ZONE 'UTC'
                                      AND point.at < (due_day + 1)::timestamp AT TIME ZONE 'UTC') THEN true END
           END AS raised,
           CASE kind
               WHEN 'workers_offline' THEN CASE WHEN rest > 0 THEN CASE unit
                   WHEN 'percent' THEN down * 100 < ends_at * rest OR down = 0 ELSE down < ends_at END END
               WHEN 'hashrate_low' THEN CASE WHEN for_customer_id IS NOT NULL OR NOT has_fallen THEN CASE unit
                   WHEN 'percent' THEN ths * 100 >= ends_at * usual_ths ELSE ths >= ends_at END END
               WHEN 'reject_rate' THEN rejected * 100 < ends_at
               WHEN 'data_old' THEN read_at > %(now)s::timestamptz - oldest_minutes * interval '1 minute'
               WHEN 'reward_missing' THEN EXISTS (
                   SELECT FROM mining_reward AS reward WHERE reward.provider_id = %(provider)s
                   AND reward.mining_account_id = against.id AND reward.day = coalesce(of_day, due_day))
           END AS cleared,
           CASE kind WHEN 'workers_offline' THEN down WHEN 'hashrate_low' THEN round(ths, 6)
                     WHEN 'reject_rate' THEN round(rejected, 6) END AS value,
           CASE kind WHEN 'workers_offline' THEN rest
                     WHEN 'hashrate_low' THEN CASE unit WHEN 'percent' THEN round(usual_ths, 6) END END AS base,
           greatest(CASE kind WHEN 'workers_offline' THEN down ELSE expected END, 1) AS machines,
           CASE kind WHEN 'reward_missing' THEN due_day END AS day
    FROM against
)
