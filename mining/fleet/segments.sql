-- The time of accounts, cut into segments in which nothing changes, with what was so in each. All accounts of a provider
-- at once, or those that are named, cut at midnight (UTC) too.
--
-- Everything that can change is a step of one kind at one moment; summed in the order of time, the steps give what holds
-- in each segment. docs/uptime.md has the definitions.
WITH account AS MATERIALIZED (
    SELECT account.id, account.customer_id, account.site, %(until)s::timestamptz AS here_until,
           greatest(%(from)s::timestamptz, date_trunc('second', account.first_seen_at)) AS here_from
    FROM mining_miningaccount AS account
    WHERE account.provider_id = %(provider)s AND date_trunc('second', account.first_seen_at) < %(until)s
      AND (%(accounts)s::bigint[] IS NULL OR account.id = ANY (%(accounts)s::bigint[]))
), exclusion AS MATERIALIZED (
    SELECT customer_id, worker_id, site, from_at, until_at
    FROM mining_exclusion
    WHERE provider_id = %(provider)s AND from_at < %(until)s AND coalesce(until_at, 'infinity') > %(from)s
      AND coalesce(until_at, 'infinity') > from_at
), account_exclusion AS (
    SELECT account.id AS account_id, exclusion.from_at, exclusion.until_at
    FROM account JOIN exclusion ON exclusion.customer_id = account.customer_id AND exclusion.worker_id IS NULL
    UNION ALL
    SELECT account.id, exclusion.from_at, exclusion.until_at
    FROM account JOIN exclusion ON exclusion.site = account.site AND exclusion.site <> ''
    UNION ALL
    SELECT account.id, exclusion.from_at, exclusion.until_at
    FROM account CROSS JOIN exclusion
    WHERE exclusion.customer_id IS NULL AND exclusion.worker_id IS NULL AND exclusion.site = ''
), away AS (
    -- When a worker was retired, and so no worker of its account.
    SELECT outage.worker_id,
           range_agg(tstzrange(outage.retired_at, CASE WHEN outage.until_at IS NOT NULL
                                                       THEN greatest(outage.until_at, outage.retired_at) END)) AS away
    FROM mining_outage AS outage JOIN account ON account.id = outage.mining_account_id
    WHERE outage.provider_id = %(provider)s AND outage.retired_at IS NOT NULL
    GROUP BY outage.worker_id
), worker AS (
    SELECT worker.id, worker.mining_account_id AS account_id, worker.site, account.here_from, account.here_until,
           greatest(worker.first_seen_at, account.here_from) AS from_at,
           CASE WHEN away.away IS NOT NULL OR worker.retired_at IS NOT NULL THEN
               tstzmultirange(tstzrange(greatest(worker.first_seen_at, account.here_from), account.here_until))
               - coalesce(away.away, '{}')
               - CASE WHEN worker.retired_at IS NULL THEN '{}' ELSE tstzmultirange(tstzrange(worker.retired_at, NULL)) END
           END AS here  -- null: from from_at on
    FROM account
    JOIN mining_worker AS worker ON worker.provider_id = %(provider)s AND worker.mining_account_id = account.id
    LEFT JOIN away ON away.worker_id = worker.id
    WHERE worker.first_seen_at < account.here_until
), worker_excluded AS (
    SELECT worker.id, worker.account_id, worker.here_from, worker.here_until,
           range_agg(tstzrange(scoped.from_at, scoped.until_at))
           * coalesce((array_agg(worker.here))[1], tstzmultirange(tstzrange(min(worker.from_at), NULL))) AS excluded
    FROM worker
    JOIN (
        SELECT worker.id, exclusion.from_at, exclusion.until_at
        FROM worker JOIN exclusion ON exclusion.worker_id = worker.id
        UNION ALL
        SELECT worker.id, exclusion.from_at, exclusion.until_at
        FROM worker JOIN exclusion ON exclusion.site = worker.site AND exclusion.site <> ''
    ) AS scoped ON scoped.id = worker.id
    GROUP BY worker.id, worker.account_id, worker.here_from, worker.here_until
), known AS (
    -- The counts as they stood at the start: the last row before it, however old.
    SELECT account.id AS account_id, account.here_from AS at, account.here_from AS not_before, counts.online,
           counts.online + counts.low AS hashing
    FROM account CROSS JOIN LATERAL (
        SELECT online, low FROM mining_counts AS counts
        WHERE counts.provider_id = %(provider)s AND counts.mining_account_id = account.id
          AND counts.at <= account.here_from ORDER BY counts.at DESC LIMIT 1
    ) AS counts
    UNION ALL
    SELECT account.id, counts.at, counts.not_before, counts.online, counts.online + counts.low
    FROM account JOIN mining_counts AS counts
        ON counts.provider_id = %(provider)s AND counts.mining_account_id = account.id
        AND counts.at > %(from)s AND counts.at > account.here_from AND counts.at < %(until)s
    UNION ALL
    -- A change that was seen after the end and may have happened before it: only the bounds know it.
    SELECT account.id, counts.at, counts.not_before, counts.online, counts.online + counts.low
    FROM account CROSS JOIN LATERAL (
        SELECT at, not_before, online, low FROM mining_counts AS counts
        WHERE counts.provider_id = %(provider)s AND counts.mining_account_id = account.id
          AND counts.at >= account.here_until ORDER BY counts.at LIMIT 1
    ) AS counts
    WHERE counts.not_before < account.here_until
), moved AS (
    SELECT account_id, at, not_before, online - coalesce(lag(online) OVER by_time, 0) AS online,
           hashing - coalesce(lag(hashing) OVER by_time, 0) AS hashing
    FROM known WINDOW by_time AS (PARTITION BY account_id ORDER BY at)
), contracted AS (
    SELECT mining_account_id AS account_id, workers, from_day::timestamp AT TIME ZONE 'UTC' AS from_at,
           lead(from_day) OVER (PARTITION BY mining_account_id ORDER BY from_day)::timestamp AT TIME ZONE 'UTC' AS until_at
    FROM mining_expectedworkers
    WHERE provider_id = %(provider)s AND mining_account_id IN (SELECT id FROM account)
), span AS (
    -- What holds from a moment to a moment: on with a step up, off with a step down.
    SELECT account_id, 'excluded' AS kind, 1 AS number, from_at, until_at FROM account_exclusion
    UNION ALL
    SELECT mining_account_id, 'covered', 1, from_at, until_at FROM mining_coverage
    WHERE provider_id = %(provider)s AND subject = 'counts' AND from_at < %(until)s AND until_at > %(from)s
      AND mining_account_id IN (SELECT id FROM account)
    UNION ALL
    SELECT mining_account_id, 'covered', 1, from_at, until_at FROM mining_opencoverage
    WHERE provider_id = %(provider)s AND subject = 'counts' AND from_at < %(until)s AND until_at > %(from)s
      AND mining_account_id IN (SELECT id FROM account)
    UNION ALL
    SELECT account_id, 'contracted', workers, from_at, until_at FROM contracted WHERE workers IS NOT NULL
    UNION ALL
    SELECT account_id, 'under_contract', 1, from_at, until_at FROM contracted WHERE workers IS NOT NULL
    UNION ALL
    SELECT account_id, 'roster', 1, from_at, NULL FROM worker WHERE here IS NULL
    UNION ALL
    SELECT account_id, 'roster', 1, lower(range), upper(range) FROM worker, unnest(here) AS range
    UNION ALL
    SELECT account_id, 'excluded_workers', 1, lower(range), upper(range)
    FROM worker_excluded, unnest(excluded) AS range
), step AS (
    SELECT account_id, kind, number, from_at AS at FROM span
    UNION ALL
    SELECT account_id, kind, -number, until_at FROM span WHERE until_at IS NOT NULL
    UNION ALL
    SELECT account_id, 'online', online, at FROM moved
    UNION ALL
    SELECT account_id, 'hashing', hashing, at FROM moved
    -- At the most what fell did so at the last moment and what rose at the first; at the least the other way round.
    UNION ALL
    SELECT account_id, 'online_most', online, CASE WHEN online > 0 THEN not_before ELSE at END FROM moved
    UNION ALL
    SELECT account_id, 'online_least', online, CASE WHEN online > 0 THEN at ELSE not_before END FROM moved
    UNION ALL
    SELECT account_id, 'hashing_most', hashing, CASE WHEN hashing > 0 THEN not_before ELSE at END FROM moved
    UNION ALL
    SELECT account_id, 'hashing_least', hashing, CASE WHEN hashing > 0 THEN at ELSE not_before END FROM moved
    UNION ALL
    SELECT account.id, 'edge', 0, edge.at
    FROM account, LATERAL (
        VALUES (account.here_from), (account.here_until)
        UNION ALL
        SELECT generate_series(date_trunc('day', account.here_from, 'UTC') + interval '1 day', account.here_until,
                               interval '1 day')
    ) AS edge (at)
), summed AS (
    SELECT step.account_id, least(greatest(step.at, account.here_from), account.here_until) AS at,
           coalesce(sum(number) FILTER (WHERE kind = 'online'), 0) AS online,
           coalesce(sum(number) FILTER (WHERE kind = 'online_most'), 0) AS online_most,
           coalesce(sum(number) FILTER (WHERE kind = 'online_least'), 0) AS online_least,
           coalesce(sum(number) FILTER (WHERE kind = 'hashing'), 0) AS hashing,
           coalesce(sum(number) FILTER (WHERE kind = 'hashing_most'), 0) AS hashing_most,
           coalesce(sum(number) FILTER (WHERE kind = 'hashing_least'), 0) AS hashing_least,
           coalesce(sum(number) FILTER (WHERE kind = 'roster'), 0) AS roster,
           coalesce(sum(number) FILTER (WHERE kind = 'contracted'), 0) AS contracted,
           coalesce(sum(number) FILTER (WHERE kind = 'under_contract'), 0) AS under_contract,
           coalesce(sum(number) FILTER (WHERE kind = 'excluded_workers'), 0) AS excluded_workers,
           coalesce(sum(number) FILTER (WHERE kind = 'excluded'), 0) AS excluded,
           coalesce(sum(number) FILTER (WHERE kind = 'covered'), 0) AS covered
    FROM step JOIN account ON account.id = step.account_id
    GROUP BY step.account_id, least(greatest(step.at, account.here_from), account.here_until)
), running AS (
    SELECT account_id, at AS from_at, lead(at) OVER by_time AS until_at,
           sum(online) OVER by_time AS online, sum(online_most) OVER by_time AS online_most,
           sum(online_least) OVER by_time AS online_least, sum(hashing) OVER by_time AS hashing,
           sum(hashing_most) OVER by_time AS hashing_most, sum(hashing_least) OVER by_time AS hashing_least,
           CASE WHEN sum(under_contract) OVER by_time > 0 THEN sum(contracted) OVER by_time
                ELSE sum(roster) OVER by_time END AS expected,
           sum(excluded_workers) OVER by_time AS excluded_workers, sum(excluded) OVER by_time > 0 AS is_excluded,
           sum(covered) OVER by_time > 0 AS is_covered
    FROM summed WINDOW by_time AS (PARTITION BY account_id ORDER BY at)
), counted AS (
    -- Excluded before unknown before the rest. Single excluded workers are taken from those that are down first, then
    -- low, then up: so that the rest is filled with those that hash as far as they go.
    SELECT account_id, from_at, until_at, expected, is_excluded, is_covered, online, online_most, online_least, hashing,
           hashing_most, hashing_least,
           CASE WHEN is_excluded THEN expected ELSE least(excluded_workers, expected) END AS excluded,
           CASE WHEN is_excluded THEN 0 ELSE expected - least(excluded_workers, expected) END AS rest
    FROM running WHERE until_at > from_at
), segment AS (
    SELECT account_id, from_at, until_at, expected, excluded, is_excluded, is_covered,
           CASE WHEN is_covered THEN 0 ELSE rest END AS unknown,
           CASE WHEN is_covered THEN least(online, rest) ELSE 0 END AS up,
           CASE WHEN is_covered THEN least(hashing, rest) - least(online, rest) ELSE 0 END AS low,
           CASE WHEN is_covered THEN rest - least(hashing, rest) ELSE 0 END AS down,
           CASE WHEN is_covered THEN least(online_least, rest) ELSE 0 END AS up_least,
           CASE WHEN is_covered THEN least(online_most, rest) ELSE 0 END AS up_most,
           CASE WHEN is_covered THEN least(hashing_least, rest) ELSE 0 END AS hashing_least,
           CASE WHEN is_covered THEN least(hashing_most, rest) ELSE 0 END AS hashing_most
    FROM counted
)
