-- What accounts are at this moment: all of a provider that the context shows, or those that are named. The newest
-- reading stands for as long as the next one may take; afterwards nothing is known.
WITH account AS MATERIALIZED (
    SELECT account.id, account.customer_id, account.site, account.workers_online AS online,
           account.workers_online + account.workers_low AS hashing, account.counts_since, span.until_at AS read_at,
           coalesce(span.until_at >= %(now)s::timestamptz - CASE
               WHEN account.idle_since <= span.until_at - %(idle_after)s::interval THEN %(idle_apart)s::interval
               ELSE %(apart)s::interval END, false) AS is_covered
    FROM mining_miningaccount AS account
    LEFT JOIN mining_opencoverage AS span ON span.provider_id = account.provider_id AND span.subject = 'counts'
        AND span.mining_account_id = account.id
    WHERE account.provider_id = %(provider)s AND account.state <> 'creating'
      AND (%(accounts)s::bigint[] IS NULL OR account.id = ANY (%(accounts)s::bigint[]))
), exclusion AS MATERIALIZED (
    SELECT id, customer_id, worker_id, site, from_at FROM mining_exclusion
    WHERE provider_id = %(provider)s AND from_at <= %(now)s AND coalesce(until_at, 'infinity') > %(now)s
), excluded AS (
    SELECT account.id, max(exclusion.id) AS exclusion_id, min(exclusion.from_at) AS from_at
    FROM account JOIN exclusion ON exclusion.worker_id IS NULL
        AND (exclusion.customer_id = account.customer_id OR exclusion.site <> '' AND exclusion.site = account.site
             OR exclusion.customer_id IS NULL AND exclusion.site = '')
    GROUP BY account.id
), roster AS (
    SELECT mining_account_id, count(*) AS workers FROM mining_worker
    WHERE provider_id = %(provider)s AND retired_at IS NULL AND mining_account_id IN (SELECT id FROM account)
    GROUP BY mining_account_id
), excluded_workers AS (
    SELECT worker.mining_account_id, count(DISTINCT worker.id) AS workers
    FROM mining_worker AS worker
    JOIN exclusion ON exclusion.worker_id = worker.id OR exclusion.site <> '' AND exclusion.site = worker.site
    WHERE worker.provider_id = %(provider)s AND worker.retired_at IS NULL
      AND worker.mining_account_id IN (SELECT id FROM account)
    GROUP BY worker.mining_account_id
), expected AS (
    SELECT account.id, coalesce(contracted.workers, roster.workers, 0) AS expected
    FROM account LEFT JOIN roster ON roster.mining_account_id = account.id
    LEFT JOIN LATERAL (
        SELECT workers FROM mining_expectedworkers
        WHERE provider_id = %(provider)s AND mining_account_id = account.id
          AND from_day <= (%(now)s::timestamptz AT TIME ZONE 'UTC')::date
        ORDER BY from_day DESC LIMIT 1
    ) AS contracted ON true
), counted AS (
    SELECT account.id, account.online, account.hashing, account.counts_since, account.read_at, account.is_covered,
           expected.expected, excluded.exclusion_id, excluded.from_at AS excluded_since,
           CASE WHEN excluded.id IS NOT NULL THEN expected.expected
                ELSE least(coalesce(excluded_workers.workers, 0), expected.expected) END AS excluded
    FROM account JOIN expected USING (id) LEFT JOIN excluded USING (id)
    LEFT JOIN excluded_workers ON excluded_workers.mining_account_id = account.id
), split AS (
    SELECT *, expected - excluded AS rest,
           CASE WHEN is_covered THEN least(online, expected - excluded) ELSE 0 END AS up,
           CASE WHEN is_covered THEN least(hashing, expected - excluded) ELSE 0 END AS up_or_low
    FROM counted
), state AS (
    SELECT id, expected::int, up::int, (up_or_low - up)::int AS low,
           (CASE WHEN is_covered THEN rest - up_or_low ELSE 0 END)::int AS down, excluded::int,
           (CASE WHEN is_covered THEN 0 ELSE rest END)::int AS unknown,
           CASE WHEN exclusion_id IS NOT NULL THEN 'excluded' WHEN NOT is_covered THEN 'unknown'
                WHEN rest > 0 AND up_or_low = 0 THEN 'down' WHEN up < rest THEN 'low' ELSE 'up' END AS state,
           CASE WHEN exclusion_id IS NOT NULL THEN excluded_since WHEN NOT is_covered THEN read_at
                ELSE counts_since END AS since, read_at, exclusion_id
    FROM split
)
