-- After states.sql: which alerts of the staff, opened or in grace, fell together: at least two accounts of the provider
-- or of one site, with that share of its machines, within the window of their rule.
, rule AS (
    SELECT kind, group_percent, (group_minutes + %(pace_minutes)s) * interval '1 minute' AS window_length
    FROM mining_alertrule WHERE provider_id = %(provider)s AND customer_id IS NULL AND kind = ANY (%(kinds)s::text[])
), fell AS (
    SELECT alert.id, alert.kind, alert.machines, account.site, rule.group_percent
    FROM mining_alert AS alert JOIN rule USING (kind)
    JOIN mining_miningaccount AS account ON account.provider_id = %(provider)s AND account.id = alert.mining_account_id
    WHERE alert.provider_id = %(provider)s AND alert.ended_at IS NULL AND alert.group_id IS NULL
      AND alert.for_customer_id IS NULL AND alert.stood_at >= %(now)s::timestamptz - rule.window_length
), everything AS (
    SELECT account.site, greatest(state.expected, 1) AS machines
    FROM state JOIN mining_miningaccount AS account ON account.provider_id = %(provider)s AND account.id = state.id
    WHERE account.customer_id IS NOT NULL
), whole AS (
    SELECT kind, count(*) AS accounts, sum(machines) * 100 >= max(group_percent) * (
        SELECT sum(machines) FROM everything) AS is_large FROM fell GROUP BY kind
), hall AS (
    SELECT kind, site, count(*) AS accounts, sum(machines) * 100 >= max(group_percent) * (
        SELECT sum(machines) FROM everything WHERE everything.site = fell.site) AS is_large
    FROM fell WHERE site <> '' GROUP BY kind, site
)
SELECT fell.id, fell.kind, fell.site, whole.accounts > 1 AND whole.is_large AS is_everywhere
FROM fell JOIN whole USING (kind) LEFT JOIN hall ON hall.kind = fell.kind AND hall.site = fell.site
WHERE whole.accounts > 1 AND whole.is_large OR hall.accounts > 1 AND hall.is_large
ORDER BY fell.id
