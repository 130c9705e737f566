-- Lines come and go only while their document is a draft. Once for a statement, not for a row: a close writes a month
-- of lines at once. FOR SHARE on the documents closes the race with a session that is issuing one of them: either it
-- waits for us, or we wait for it and then find the document issued.
CREATE FUNCTION billing_line_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    culprit record;
BEGIN
    PERFORM 1 FROM billing_document d
    WHERE (d.provider_id, d.id) IN (SELECT provider_id, document_id FROM touched)
    ORDER BY d.id FOR SHARE OF d;

    SELECT t.document_id, d.status INTO culprit
    FROM (SELECT DISTINCT provider_id, document_id FROM touched) t
    LEFT JOIN billing_document d ON d.provider_id = t.provider_id AND d.id = t.document_id
    WHERE d.status IS DISTINCT FROM 'draft' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is %: lines belong to drafts only', culprit.document_id, coalesce(culprit.status, 'not there')
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;

    IF TG_OP = 'INSERT' THEN
        -- A customer's document holds that customer's rewards and no others.
        SELECT t.document_id, t.reward_id INTO culprit
        FROM touched t
        JOIN billing_document d ON d.provider_id = t.provider_id AND d.id = t.document_id
        LEFT JOIN mining_reward r ON r.provider_id = t.provider_id AND r.id = t.reward_id
        WHERE r.customer_id IS DISTINCT FROM d.customer_id OR t.customer_id IS DISTINCT FROM d.customer_id
            OR r.day IS DISTINCT FROM t.day LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'reward % does not belong into document %', culprit.reward_id, culprit.document_id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER billing_line_added AFTER INSERT ON billing_documentline
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing_line_guard();
CREATE TRIGGER billing_line_removed AFTER DELETE ON billing_documentline
REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION billing_line_guard();

CREATE FUNCTION billing_line_not_edited() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the lines of a document are replaced, never edited' USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER billing_line_not_edited BEFORE UPDATE ON billing_documentline
FOR EACH ROW EXECUTE FUNCTION billing_line_not_edited();
