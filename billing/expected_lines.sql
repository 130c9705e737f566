-- Target minus billed (BILLING: late, corrected and cancelled rewards), for one contract or for all of a provider.
-- One row for each line that the document of the period should have. Parameters: provider, contract (or null), period.
WITH contracts AS MATERIALIZED (
    SELECT k.id, k.customer_id, coalesce(d.drafted_before, '-infinity'::date) AS from_day
    FROM billing_contract k
    LEFT JOIN (
        SELECT contract_id,
            bool_or((counts OR status = 'carried') AND period && %(period)s::daterange) AS issued,
            -- What lies before the end of an earlier draft is that draft's business: it is issued first.
            max(upper(period)) FILTER (WHERE status = 'draft' AND period << %(period)s::daterange) AS drafted_before
        FROM billing_document
        WHERE provider_id = %(provider)s AND (%(contract)s::bigint IS NULL OR contract_id = %(contract)s)
        GROUP BY contract_id
    ) d ON d.contract_id = k.id
    WHERE k.provider_id = %(provider)s AND (%(contract)s::bigint IS NULL OR k.id = %(contract)s)
        AND d.issued IS NOT TRUE  -- an issued period is not reopened, nor one that was carried
), terms AS MATERIALIZED (
    SELECT v.contract_id, v.id AS version_id, v.valid, t.share_ppm, t.basis, t.pool_fee_borne_by
    FROM billing_contractversion v
    JOIN billing_contractcomponent t ON t.provider_id = v.provider_id AND t.version_id = v.id
        AND t.kind = 'revenue_share' AND t.position = 1
    WHERE v.provider_id = %(provider)s AND v.withdrawn_at IS NULL
        AND (%(contract)s::bigint IS NULL OR v.contract_id = %(contract)s)
), billed AS MATERIALIZED (
    SELECT l.reward_id, l.component, sum(l.net_sat)::bigint AS net_sat, sum(l.provider_share_sat)::bigint AS provider_sat,
        sum(l.customer_share_sat)::bigint AS customer_sat, sum(l.amount_sat)::bigint AS amount_sat, max(l.id) AS latest_id
    FROM billing_document d
    JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
    WHERE d.provider_id = %(provider)s AND d.counts
        AND (%(contract)s::bigint IS NULL OR d.contract_id = %(contract)s)
    GROUP BY l.reward_id, l.component
), billed_before AS MATERIALIZED (
    -- The latest line of a reward, whatever its component: what the document said about it last.
    SELECT b.reward_id, l.id, l.version_id, l.facts
    FROM (SELECT reward_id, max(latest_id) AS latest_id FROM billed GROUP BY reward_id) b
    JOIN billing_documentline l ON l.provider_id = %(provider)s AND l.id = b.latest_id
), carried AS MATERIALIZED (
    SELECT DISTINCT l.reward_id FROM billing_document d
    JOIN billing_documentline l ON l.provider_id = d.provider_id AND l.document_id = d.id
    WHERE d.provider_id = %(provider)s AND d.status = 'carried'
        AND (%(contract)s::bigint IS NULL OR d.contract_id = %(contract)s)
), rewards AS (
    SELECT k.id AS contract_id, r.*, t.version_id, before.id AS before_id,
        before.version_id AS before_version_id, before.facts AS before_facts, carried.reward_id IS NOT NULL AS carried,
        billing_customer_sat_uncapped(r.total_sat, r.net_sat, t.share_ppm, t.basis, t.pool_fee_borne_by) AS uncapped_sat,
        r.status = 'successful' AND r.missing_since IS NULL AND r.currency = 'BTC' AND t.version_id IS NOT NULL
            AND r.payout_destination IN ('main_balance', 'external_address') AS counts
    FROM contracts k
    JOIN mining_reward r ON r.provider_id = %(provider)s AND r.customer_id = k.customer_id
        AND r.day < upper(%(period)s::daterange) AND r.day >= k.from_day
    LEFT JOIN terms t ON t.contract_id = k.id AND t.valid @> r.day
    LEFT JOIN billed_before before ON before.reward_id = r.id
    LEFT JOIN carried ON carried.reward_id = r.id
), lines AS (
    SELECT r.*, c.component, b.latest_id,
        coalesce(b.amount_sat, 0) AS was_sat,
        CASE WHEN t.is_target THEN r.net_sat ELSE 0 END AS target_net_sat,
        CASE WHEN t.is_target THEN greatest(r.uncapped_sat, 0) ELSE 0 END AS target_customer_sat,
        coalesce(b.net_sat, 0) AS billed_net_sat, coalesce(b.customer_sat, 0) AS billed_customer_sat,
        t.is_target
    FROM rewards r
    CROSS JOIN (VALUES ('pay_customer', 'main_balance'), ('bill_customer', 'external_address')) c (component, destination)
    CROSS JOIN LATERAL (SELECT r.counts AND r.payout_destination = c.destination AS is_target) t
    LEFT JOIN billed b ON b.reward_id = r.id AND b.component = c.component
    -- Billed once and now pending, unknown or missing: nothing is taken back. Only what the pool canceled is.
    WHERE (t.is_target AND r.before_id IS NULL)
        OR (r.before_id IS NOT NULL AND (r.counts OR r.status = 'canceled'))
), deltas AS (
    SELECT l.*, target_net_sat - billed_net_sat AS net_delta, target_customer_sat - billed_customer_sat AS customer_delta
    FROM lines l
)
SELECT
    contract_id, customer_id, id AS reward_id, component, day,
    coalesce(version_id, before_version_id) AS version_id,
    CASE WHEN before_id IS NULL AND day >= lower(%(period)s::daterange) THEN 'regular' ELSE 'correction' END AS kind,
    CASE
        WHEN before_id IS NULL THEN CASE
            WHEN day >= lower(%(period)s::daterange) THEN '' WHEN carried THEN 'carried' ELSE 'late' END
        WHEN status <> before_facts ->> 'status' THEN 'status_changed'
        WHEN payout_destination <> before_facts ->> 'destination' THEN 'destination_changed'
        WHEN version_id IS DISTINCT FROM before_version_id THEN 'contract_changed'
        ELSE 'amount_changed'
    END AS reason,
    coalesce(latest_id, before_id) AS corrects_id,
    CASE component WHEN 'pay_customer' THEN customer_delta ELSE customer_delta - net_delta END AS amount_sat,
    net_delta AS net_sat, net_delta - customer_delta AS provider_sat, customer_delta AS customer_sat,
    jsonb_strip_nulls(jsonb_build_object(
        'at', to_char(reward_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'occurrence', occurrence,
        'status', status, 'destination', payout_destination, 'address', payout_address,
        'transaction', transaction_hash, 'paid_at', to_char(paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'total', total_raw, 'net', net_raw, 'fee', fee_raw, 'total_sat', total_sat, 'net_sat', net_sat, 'fee_sat', fee_sat,
        'hashrate_hs', trim_scale(hashrate_hs)::text, 'fpps_rate', trim_scale(fpps_rate)::text,
        'share_capped', CASE WHEN is_target AND uncapped_sat < 0 THEN true END,
        'was_status', CASE WHEN before_id IS NOT NULL THEN before_facts ->> 'status' END,
        'was_destination', CASE WHEN before_id IS NOT NULL THEN before_facts ->> 'destination' END,
        'was_sat', CASE WHEN before_id IS NOT NULL THEN was_sat END
    )) AS facts,
    row_number() OVER (
        PARTITION BY contract_id
        ORDER BY before_id IS NOT NULL OR day < lower(%(period)s::daterange), day, occurrence, id, component DESC
    ) AS position
FROM deltas
WHERE before_id IS NULL OR net_delta <> 0 OR customer_delta <> 0
