-- What a document does not know: the one rule, for pages, the API and the trigger. A row for each cause; `passed`: a
-- person lets it pass for this document. `documents` null: all drafts.
--   quarantined   a record that was not taken in and nobody has settled; one whose account or day nobody can tell may
--                 be anybody's of its login
--   unknown       a reward whose status, destination or currency is not known
--   missing       a reward that the pool no longer lists
--   billed_…      the same of one that an issued document billed, and one that is pending again: nothing is taken back
--   not_read      the account was not read up to the end of the period, or not from its beginning
--   no_reward     a day of which the pool should list a reward and lists none: told, and holds nothing
-- What was never billed and stands on the face of an issued document already is not asked about again.
-- No search_path of its own, so that it is planned as part of the query: who calls it as definer has set one.
CREATE FUNCTION billing_omissions(of_provider bigint, documents bigint[])
RETURNS TABLE (document_id bigint, kind text, subject text, day date, amount_sat bigint, cause text, passed boolean)
LANGUAGE sql STABLE AS $$
    WITH docs AS MATERIALIZED (
        SELECT d.id, d.customer_id, d.contract_id, d.period, (
            -- What lies before the end of an earlier draft is that draft's business.
            SELECT max(upper(e.period)) FROM billing_document e
            WHERE e.provider_id = of_provider AND e.contract_id = d.contract_id AND e.status = 'draft'
                AND e.period << d.period
        ) AS from_day
        FROM billing_document d
        WHERE d.provider_id = of_provider
            AND (d.id = ANY (documents) OR (documents IS NULL AND d.status = 'draft'))
    ), doubted AS (
        SELECT d.id AS document_id, d.customer_id, r.code, r.day, r.net_sat,
            CASE
                WHEN r.missing_since IS NOT NULL THEN 'missing' WHEN r.status = 'pending' THEN 'pending' ELSE 'unknown'
            END AS doubt,
            CASE
                WHEN r.missing_since IS NOT NULL THEN extract(epoch FROM r.missing_since)::bigint::text
                -- With the moment: a doubt that ended and came back is another one.
                ELSE concat_ws('/', r.status_raw, r.payout_destination, r.currency, extract(epoch FROM r.changed_at)::bigint)
            END AS stamp,
            EXISTS (
                SELECT 1 FROM billing_documentline l
                JOIN billing_document i ON i.provider_id = of_provider AND i.id = l.document_id
                WHERE l.provider_id = of_provider AND l.reward_id = r.id AND i.counts
            ) AS billed,
            r.day >= coalesce(d.from_day, '-infinity'::date) AND EXISTS (
                SELECT 1 FROM billing_contractversion v
                WHERE v.provider_id = of_provider AND v.contract_id = d.contract_id AND v.valid @> r.day
                    AND v.withdrawn_at IS NULL
            ) AS agreed
        FROM docs d
        JOIN mining_reward r ON r.provider_id = of_provider AND r.customer_id = d.customer_id
            AND r.day < upper(d.period)
            AND (
                r.missing_since IS NOT NULL OR r.status IN ('pending', 'unknown')
                OR r.payout_destination = 'unknown' OR r.currency <> 'BTC'
            )
        WHERE r.status <> 'canceled'
    ), accounts AS (
        SELECT d.id AS document_id, d.customer_id, d.contract_id, d.period, d.from_day, a.id, a.code, a.name, a.login_id,
            a.rewards_read_at, a.rewards_read_in_full_at
        FROM docs d
        JOIN mining_miningaccount a ON a.provider_id = of_provider AND a.customer_id = d.customer_id
    ), without_reward AS MATERIALIZED (
        -- First the days without one, all at once: what is due is asked for these few.
        SELECT a.document_id, a.customer_id, a.id, a.code, d.at::date AS day
        FROM accounts a
        JOIN billing_contractversion v ON v.provider_id = of_provider AND v.contract_id = a.contract_id
            AND v.withdrawn_at IS NULL AND v.valid && a.period
        CROSS JOIN LATERAL generate_series(
            lower(v.valid * a.period)::timestamp, upper(v.valid * a.period)::timestamp - interval '1 day', '1 day'
        ) d (at)
        WHERE NOT EXISTS (
            SELECT 1 FROM mining_reward r
            WHERE r.provider_id = of_provider AND r.mining_account_id = a.id AND r.day = d.at::date
        )
    ), causes AS (
        SELECT document_id, customer_id, CASE WHEN billed THEN 'billed_' || doubt ELSE doubt END AS kind, code AS subject,
            day, net_sat AS amount_sat, concat_ws(':', CASE WHEN billed THEN 'billed' END, doubt, code, stamp) AS cause,
            billed
        FROM doubted
        WHERE billed OR (agreed AND doubt <> 'pending')
        UNION ALL
        SELECT a.document_id, a.customer_id, 'quarantined', q.code, q.day, NULL, 'quarantined:' || q.code, false
        FROM accounts a
        JOIN mining_quarantinedrecord q ON q.provider_id = of_provider AND q.login_id = a.login_id
            AND q.account_name IN (a.name, '') AND q.settled_at IS NULL
        JOIN mining_syncrun s ON s.provider_id = of_provider AND s.id = q.sync_run_id AND s.subject = 'rewards'
        WHERE q.day IS NULL OR (
            -- What may have moved may be a reward that stands up to 36 hours earlier.
            q.day - CASE q.reason WHEN 'moved_or_new' THEN 2 ELSE 0 END < upper(a.period)
            AND q.day >= coalesce(a.from_day, '-infinity'::date)
            AND EXISTS (
                SELECT 1 FROM billing_contractversion v
                WHERE v.provider_id = of_provider AND v.contract_id = a.contract_id AND v.valid @> q.day
                    AND v.withdrawn_at IS NULL
            )
        )
        UNION ALL
        SELECT a.document_id, a.customer_id, 'not_read', a.code, NULL, NULL,
            concat_ws(':', 'not_read', a.code, lower(a.period), CASE WHEN a.rewards_read_in_full_at IS NULL THEN 'whole' END),
            false
        FROM accounts a
        WHERE a.rewards_read_at IS NULL OR a.rewards_read_in_full_at IS NULL
            OR a.rewards_read_at < upper(a.period)::timestamp AT TIME ZONE 'UTC'
        UNION ALL
        SELECT document_id, customer_id, 'no_reward', code, day, NULL, concat_ws(':', 'no_reward', code, day), false
        FROM without_reward
        WHERE mining_reward_due(of_provider, id, day)
    )
    SELECT c.document_id, c.kind, c.subject::text, c.day, c.amount_sat, left(c.cause, 255), c.kind = 'no_reward' OR EXISTS (
        SELECT 1 FROM billing_omissionpass p
        WHERE p.provider_id = of_provider AND p.document_id = c.document_id AND p.cause = left(c.cause, 255)
    )
    FROM causes c
    WHERE c.billed OR NOT EXISTS (
        SELECT 1 FROM billing_omissionpass p
        JOIN billing_document i ON i.provider_id = of_provider AND i.id = p.document_id AND i.counts
        WHERE p.provider_id = of_provider AND p.customer_id = c.customer_id AND p.cause = left(c.cause, 255)
            AND p.document_id <> c.document_id
    )
$$;

-- No document is issued in ignorance.
CREATE FUNCTION billing_document_incomplete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    why text;
BEGIN
    SELECT kind || ' ' || subject INTO why FROM billing_omissions(NEW.provider_id, ARRAY[NEW.id])
    WHERE NOT passed LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is held: it leaves out % and nobody let that pass', NEW.code, why
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_document_a_incomplete BEFORE UPDATE ON billing_document
FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'issued') EXECUTE FUNCTION billing_document_incomplete();

-- What is let pass is let pass of a draft of this customer.
CREATE FUNCTION billing_omission_pass_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM billing_document
    WHERE provider_id = NEW.provider_id AND id = NEW.document_id AND customer_id = NEW.customer_id AND status = 'draft'
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'document % is no draft of this customer', NEW.document_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_omission_pass_guard BEFORE INSERT ON billing_omissionpass
FOR EACH ROW EXECUTE FUNCTION billing_omission_pass_guard();
CREATE TRIGGER billing_omission_pass_kept BEFORE UPDATE OR DELETE ON billing_omissionpass
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_omission_pass_not_truncated BEFORE TRUNCATE ON billing_omissionpass
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
