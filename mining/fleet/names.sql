-- Worker-seconds of accounts by day, by names: what became of each machine of the roster. All accounts of a provider at
-- once, or those that are named. docs/uptime.md has the definitions.
--
-- A slice is what of a day an account was here. Most workers of a slice had nothing happen to them: these are counted
-- and not looked at one by one; only for the others intervals are subtracted.
WITH slice AS MATERIALIZED (
    SELECT account.id AS account_id, account.customer_id, account.site, day::date AS day,
           tstzrange(greatest(day, %(from)s, date_trunc('second', account.first_seen_at)),
                     least(day + interval '1 day', %(until)s)) AS here
    FROM mining_miningaccount AS account,
         generate_series(date_trunc('day', %(from)s::timestamptz, 'UTC'), %(until)s::timestamptz, interval '1 day') AS day
    WHERE account.provider_id = %(provider)s
      AND (%(accounts)s::bigint[] IS NULL OR account.id = ANY (%(accounts)s::bigint[]))
      AND greatest(day, %(from)s, date_trunc('second', account.first_seen_at))
          < least(day + interval '1 day', %(until)s)
), account AS MATERIALIZED (
    SELECT account_id, customer_id, site FROM slice GROUP BY account_id, customer_id, site
), exclusion AS MATERIALIZED (
    SELECT customer_id, worker_id, site, tstzrange(from_at, until_at) AS range
    FROM mining_exclusion
    WHERE provider_id = %(provider)s AND from_at < %(until)s AND coalesce(until_at, 'infinity') > %(from)s
      AND coalesce(until_at, 'infinity') > from_at
), excluded AS MATERIALIZED (
    SELECT account_id, range_agg(range) AS excluded FROM (
        SELECT account.account_id, exclusion.range
        FROM account JOIN exclusion ON exclusion.customer_id = account.customer_id AND exclusion.worker_id IS NULL
        UNION ALL
        SELECT account.account_id, exclusion.range
        FROM account JOIN exclusion ON exclusion.site = account.site AND exclusion.site <> ''
        UNION ALL
        SELECT account.account_id, exclusion.range
        FROM account CROSS JOIN exclusion
        WHERE exclusion.customer_id IS NULL AND exclusion.worker_id IS NULL AND exclusion.site = ''
    ) AS scoped GROUP BY account_id
), read AS (
    SELECT mining_account_id AS account_id, subject, range_agg(tstzrange(from_at, until_at)) AS read
    FROM (
        SELECT mining_account_id, subject, from_at, until_at FROM mining_coverage
        WHERE provider_id = %(provider)s AND subject IN ('counts', 'names')
          AND from_at < %(until)s AND until_at > %(from)s
        UNION ALL
        SELECT mining_account_id, subject, from_at, until_at FROM mining_opencoverage
        WHERE provider_id = %(provider)s AND subject IN ('counts', 'names')
          AND from_at < %(until)s AND until_at > %(from)s
    ) AS spans
    WHERE mining_account_id IN (SELECT account_id FROM account)
    GROUP BY mining_account_id, subject
), covered AS MATERIALIZED (
    -- Between two proofs the names hold because the counts did not move: so only while those were read.
    SELECT names.account_id, names.read * counts.read AS covered
    FROM read AS names JOIN read AS counts USING (account_id)
    WHERE names.subject = 'names' AND counts.subject = 'counts'
), whole AS MATERIALIZED (
    SELECT slice.account_id, slice.day, slice.here, coalesce(excluded.excluded, '{}') * tstzmultirange(slice.here) AS excluded,
           coalesce(covered.covered, '{}') * tstzmultirange(slice.here) - coalesce(excluded.excluded, '{}') AS counts
    FROM slice LEFT JOIN excluded USING (account_id) LEFT JOIN covered USING (account_id)
), away AS (
    SELECT outage.worker_id,
           range_agg(tstzrange(outage.retired_at, CASE WHEN outage.until_at IS NOT NULL
                                                       THEN greatest(outage.until_at, outage.retired_at) END)) AS away
    FROM mining_outage AS outage JOIN account ON account.account_id = outage.mining_account_id
    WHERE outage.provider_id = %(provider)s AND outage.retired_at IS NOT NULL
    GROUP BY outage.worker_id
), worker AS MATERIALIZED (
    SELECT worker.id, worker.mining_account_id AS account_id, worker.site, worker.first_seen_at,
           coalesce(away.away, '{}') + CASE WHEN worker.retired_at IS NULL THEN '{}'
                                       ELSE tstzmultirange(tstzrange(worker.retired_at, NULL)) END AS away
    FROM account
    JOIN mining_worker AS worker ON worker.provider_id = %(provider)s AND worker.mining_account_id = account.account_id
    LEFT JOIN away ON away.worker_id = worker.id
    WHERE worker.first_seen_at < %(until)s
), worker_excluded AS MATERIALIZED (
    SELECT worker.id, range_agg(scoped.range) AS excluded
    FROM worker
    JOIN (
        SELECT worker.id, exclusion.range FROM worker JOIN exclusion ON exclusion.worker_id = worker.id
        UNION ALL
        SELECT worker.id, exclusion.range
        FROM worker JOIN exclusion ON exclusion.site = worker.site AND exclusion.site <> ''
    ) AS scoped ON scoped.id = worker.id
    GROUP BY worker.id
), outage AS MATERIALIZED (
    -- None of those that count began longer before than the longest retirement, save what is open or was retired since.
    SELECT worker_id, state, from_at, from_not_before, until_at, until_not_before, retired_at
    FROM mining_outage
    WHERE provider_id = %(provider)s AND from_not_before < %(until)s AND from_at >= %(look_back)s
      AND coalesce(until_at, 'infinity') > %(from)s AND mining_account_id IN (SELECT account_id FROM account)
    UNION ALL
    SELECT worker_id, state, from_at, from_not_before, until_at, until_not_before, retired_at
    FROM mining_outage
    WHERE provider_id = %(provider)s AND from_at < %(look_back)s AND until_at IS NULL
      AND mining_account_id IN (SELECT account_id FROM account)
    UNION ALL
    SELECT worker_id, state, from_at, from_not_before, until_at, until_not_before, retired_at
    FROM mining_outage
    WHERE provider_id = %(provider)s AND from_at < %(look_back)s AND until_at > %(from)s AND retired_at >= %(from)s
      AND mining_account_id IN (SELECT account_id FROM account)
), ranges AS (
    SELECT worker_id, state,
           tstzrange(least(from_at, ended), ended) AS range,
           tstzrange(least(from_not_before, ended), ended) AS longest,
           tstzrange(least(from_at, least(until_not_before, ended)), least(until_not_before, ended)) AS shortest
    FROM outage, LATERAL (SELECT least(until_at, retired_at) AS ended) AS end_of_it
), missing AS MATERIALIZED (
    SELECT worker_id,
           coalesce(range_agg(range) FILTER (WHERE state = 'unknown'), '{}') AS doubted,
           coalesce(range_agg(range) FILTER (WHERE state = 'down'), '{}') AS down,
           coalesce(range_agg(longest) FILTER (WHERE state = 'down'), '{}') AS down_most,
           coalesce(range_agg(shortest) FILTER (WHERE state = 'down'), '{}') AS down_least
    FROM ranges GROUP BY worker_id
), slice_of_worker AS (
    SELECT whole.account_id, whole.day, whole.here, whole.excluded, whole.counts, worker.id, worker.first_seen_at,
           worker.away, worker_excluded.excluded AS own_excluded, missing.doubted, missing.down, missing.down_most,
           missing.down_least,
           worker.first_seen_at > lower(whole.here) OR worker.away && tstzmultirange(whole.here)
           OR coalesce(worker_excluded.excluded && whole.here, false)
           OR coalesce((missing.doubted + missing.down_most + missing.down) && whole.here, false) AS is_special
    FROM whole JOIN worker USING (account_id)
    LEFT JOIN worker_excluded ON worker_excluded.id = worker.id
    LEFT JOIN missing ON missing.worker_id = worker.id
    WHERE worker.first_seen_at < upper(whole.here)
), existing AS (
    SELECT *, tstzmultirange(here) * tstzmultirange(tstzrange(first_seen_at, NULL)) - away AS present
    FROM slice_of_worker WHERE is_special
), counting AS (
    SELECT *, (excluded + coalesce(own_excluded, '{}')) * present AS out_of_it,
           counts * present - coalesce(own_excluded, '{}') - coalesce(doubted, '{}') AS known
    FROM existing
), special AS (
    SELECT account_id, day, mining_seconds(present) AS expected, mining_seconds(out_of_it) AS excluded,
           mining_seconds(known) AS known, mining_seconds(known * coalesce(down, '{}')) AS down,
           mining_seconds(known * coalesce(down_most, '{}')) AS down_most,
           mining_seconds(known * coalesce(down_least, '{}')) AS down_least
    FROM counting
), plain AS (
    SELECT account_id, day, count(*) AS workers FROM slice_of_worker WHERE NOT is_special GROUP BY account_id, day
), each AS (
    SELECT account_id, day, expected, excluded, known, down, down_most, down_least FROM special
    UNION ALL
    SELECT whole.account_id, whole.day, coalesce(workers, 0) * mining_seconds(tstzmultirange(here)),
           coalesce(workers, 0) * mining_seconds(excluded), coalesce(workers, 0) * mining_seconds(counts), 0, 0, 0
    FROM whole LEFT JOIN plain USING (account_id, day)
)
SELECT account_id, day, sum(expected)::bigint AS expected, sum(known - down)::bigint AS up, 0::bigint AS low,
       sum(down)::bigint AS down, sum(excluded)::bigint AS excluded,
       sum(expected - excluded - known)::bigint AS unknown,
       sum(known - down_most)::bigint AS up_least, sum(known - down_least)::bigint AS up_most,
       sum(known - down_most)::bigint AS hashing_least, sum(known - down_least)::bigint AS hashing_most
FROM each GROUP BY account_id, day
