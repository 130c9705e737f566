-- Machines that have been down for longer than a rule allows. One that fell with its account is told of by the
-- account's alert, and by one of its own only where it stays down afterwards.
WITH rule AS MATERIALIZED (
    SELECT kind, customer_id AS for_customer_id, threshold * interval '1 minute' AS longest,
           make_interval(mins => clear_minutes) AS clear_after
    FROM mining_alertrule WHERE provider_id = %(provider)s AND is_on AND kind = 'worker_down'
), standing AS MATERIALIZED (
    SELECT id, kind, for_customer_id, mining_account_id, customer_id, worker_id FROM mining_alert
    WHERE provider_id = %(provider)s AND ended_at IS NULL AND worker_id IS NOT NULL
), exclusion AS MATERIALIZED (
    SELECT customer_id, worker_id, site FROM mining_exclusion
    WHERE provider_id = %(provider)s AND from_at <= %(now)s AND coalesce(until_at, 'infinity') > %(now)s
), missing AS MATERIALIZED (
    SELECT outage.worker_id, outage.mining_account_id, worker.customer_id, outage.from_at,
           CASE WHEN span.until_at >= %(now)s::timestamptz - CASE
                    WHEN account.idle_since <= span.until_at - %(idle_after)s::interval THEN %(idle_apart)s::interval
                    ELSE %(apart)s::interval END
                THEN outage.state = 'down' END AS is_down,
           EXISTS (SELECT FROM exclusion WHERE exclusion.worker_id = worker.id
                   OR exclusion.worker_id IS NULL AND (
                       exclusion.customer_id = account.customer_id
                       OR exclusion.site <> '' AND exclusion.site IN (worker.site, account.site)
                       OR exclusion.customer_id IS NULL AND exclusion.site = '')) AS is_excluded,
           EXISTS (SELECT FROM mining_alert AS alert
                   WHERE alert.provider_id = %(provider)s AND alert.mining_account_id = account.id
                     AND alert.ended_at IS NULL AND alert.kind = 'workers_offline') AS has_fallen
    FROM mining_outage AS outage
    JOIN mining_worker AS worker ON worker.provider_id = %(provider)s AND worker.id = outage.worker_id
    JOIN mining_miningaccount AS account ON account.provider_id = %(provider)s AND account.id = outage.mining_account_id
    LEFT JOIN mining_opencoverage AS span ON span.provider_id = %(provider)s AND span.subject = 'counts'
        AND span.mining_account_id = account.id
    WHERE outage.provider_id = %(provider)s AND outage.until_at IS NULL AND outage.retired_at IS NULL
      AND worker.retired_at IS NULL AND account.customer_id IS NOT NULL
), found AS MATERIALIZED (
    SELECT rule.kind, rule.for_customer_id, interval '0' AS grace, rule.clear_after, missing.mining_account_id,
           missing.customer_id, missing.worker_id, standing.id AS alert_id, missing.from_at AS stood_at,
           missing.is_excluded AS is_silent,
           missing.is_down AND (standing.id IS NOT NULL OR (rule.for_customer_id IS NOT NULL OR NOT missing.has_fallen)
                                AND missing.from_at <= %(now)s::timestamptz - rule.longest) AS raised,
           false AS cleared, NULL::numeric AS value, NULL::numeric AS base, 1 AS machines, NULL::date AS day
    FROM missing JOIN rule ON rule.for_customer_id IS NULL OR rule.for_customer_id = missing.customer_id
    LEFT JOIN standing ON standing.worker_id = missing.worker_id
        AND standing.for_customer_id IS NOT DISTINCT FROM rule.for_customer_id
    UNION ALL
    SELECT rule.kind, rule.for_customer_id, interval '0', rule.clear_after, standing.mining_account_id,
           standing.customer_id, standing.worker_id, standing.id, NULL, false, false, true, NULL, NULL, 1, NULL
    FROM standing JOIN rule ON rule.for_customer_id IS NOT DISTINCT FROM standing.for_customer_id
    WHERE standing.worker_id NOT IN (SELECT worker_id FROM missing)
)
