-- After states.sql: the accounts of customers as a table to work in. Of all that match, how many are in each state and at
-- each site; and one page of them.
, listed AS MATERIALIZED (
    SELECT state.*, account.site, customer.code, lower(customer.name) AS by_name,
           array_position(ARRAY['down', 'unknown', 'low', 'excluded', 'up'], state.state) AS rank,
           state.expected - state.up - state.excluded AS missing
    FROM state
    JOIN mining_miningaccount AS account ON account.id = state.id
    JOIN customers_customer AS customer ON customer.provider_id = account.provider_id
        AND customer.id = account.customer_id
    WHERE customer.closed_at IS NULL
      AND (%(site)s = '' OR account.site = %(site)s OR account.id IN (
          SELECT mining_account_id FROM mining_worker WHERE provider_id = %(provider)s AND site = %(site)s))
      AND (%(like)s = '' OR customer.name ILIKE %(like)s OR customer.email ILIKE %(like)s
           OR customer.external_ref ILIKE %(like)s OR account.name ILIKE %(like)s OR account.id IN (
          SELECT mining_account_id FROM mining_worker WHERE provider_id = %(provider)s AND name ILIKE %(like)s))
), in_state AS (
    SELECT state, count(*) AS accounts FROM listed GROUP BY state
), at_site AS (
    SELECT site, count(*) AS accounts, sum(expected) AS expected, sum(up) AS up, sum(low) AS low, sum(down) AS down,
           sum(excluded) AS excluded, sum(unknown) AS unknown
    FROM listed GROUP BY site
), keyed AS (
    SELECT *,
           CASE %(order)s WHEN 'name' THEN 0 WHEN 'longest' THEN coalesce(extract(epoch FROM since), 0)
                WHEN 'missing' THEN -missing ELSE rank END AS first_key,
           CASE %(order)s WHEN 'missing' THEN rank WHEN '' THEN -missing ELSE 0 END AS second_key
    FROM listed
), page AS (
    SELECT * FROM keyed
    WHERE (%(state)s = '' AND %(not_up)s = false OR state = %(state)s OR %(not_up)s AND state <> 'up')
      AND (%(after)s = '' OR (first_key, second_key, by_name, id) > (
          SELECT first_key, second_key, by_name, id FROM keyed AS place WHERE place.code = %(after)s))
    ORDER BY first_key, second_key, by_name, id LIMIT %(limit)s
)
SELECT told.states, told.sites, page.id, expected, up, low, down, excluded, unknown, state, since, read_at, exclusion_id
FROM (SELECT (SELECT jsonb_object_agg(state, accounts) FROM in_state) AS states,
             (SELECT jsonb_agg(to_jsonb(at_site) ORDER BY site = '', site) FROM at_site) AS sites) AS told
LEFT JOIN page ON true
ORDER BY first_key, second_key, by_name, id
