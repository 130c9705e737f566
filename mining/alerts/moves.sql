-- After `found`: what passed before it was worth telling goes, what stands long enough opens, what has been over for
-- long enough ends. Answers with what stands and is no row yet.
, dropped AS (
    DELETE FROM mining_alert AS alert USING found
    WHERE alert.provider_id = %(provider)s AND alert.id = found.alert_id AND alert.opened_at IS NULL
      AND (found.is_silent OR found.raised IS FALSE)
), next AS (
    SELECT alert.id, found.is_silent,
           CASE WHEN found.raised THEN found.value ELSE alert.value END AS value,
           CASE WHEN found.raised THEN found.base ELSE alert.base END AS base,
           CASE WHEN found.raised THEN found.machines ELSE alert.machines END AS machines,
           coalesce(alert.opened_at,
                    CASE WHEN found.raised AND alert.stood_at <= %(now)s::timestamptz - found.grace
                         THEN %(now)s::timestamptz END) AS opened_at,
           CASE WHEN found.is_silent THEN alert.clear_at
                WHEN found.cleared THEN coalesce(alert.clear_at, %(now)s) WHEN found.cleared IS FALSE THEN NULL
                ELSE alert.clear_at END AS clear_at,
           CASE WHEN found.cleared AND NOT found.is_silent AND coalesce(alert.clear_at, %(now)s) <= %(now)s::timestamptz - found.clear_after
                THEN %(now)s::timestamptz END AS ended_at
    FROM found JOIN mining_alert AS alert ON alert.provider_id = %(provider)s AND alert.id = found.alert_id
    WHERE alert.opened_at IS NOT NULL OR found.raised AND NOT found.is_silent
), moved AS (
    UPDATE mining_alert AS alert
    SET value = next.value, base = next.base, machines = next.machines, opened_at = next.opened_at,
        clear_at = next.clear_at, ended_at = next.ended_at, is_silenced = next.is_silent
    FROM next
    WHERE alert.provider_id = %(provider)s AND alert.id = next.id
      AND (alert.value, alert.base, alert.machines, alert.opened_at, alert.clear_at, alert.ended_at, alert.is_silenced)
          IS DISTINCT FROM
          (next.value, next.base, next.machines, next.opened_at, next.clear_at, next.ended_at, next.is_silent)
)
SELECT kind, for_customer_id, customer_id, mining_account_id, worker_id, stood_at, value, base, machines, day,
       CASE WHEN stood_at <= %(now)s::timestamptz - grace THEN %(now)s::timestamptz END AS opened_at
FROM found WHERE raised AND NOT is_silent AND alert_id IS NULL
ORDER BY mining_account_id, worker_id, kind
