-- What is written once: the runtime role has no UPDATE, DELETE or TRUNCATE on these tables, and the owner is stopped too.
CREATE FUNCTION billing_append_only() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: no %', TG_TABLE_NAME, TG_OP USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER billing_account_kept BEFORE UPDATE OR DELETE ON billing_ledgeraccount
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_account_not_truncated BEFORE TRUNCATE ON billing_ledgeraccount
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_tx_kept BEFORE UPDATE OR DELETE ON billing_journaltx
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_tx_not_truncated BEFORE TRUNCATE ON billing_journaltx
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_entry_kept BEFORE UPDATE OR DELETE ON billing_journalentry
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_entry_not_truncated BEFORE TRUNCATE ON billing_journalentry
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_file_kept BEFORE UPDATE OR DELETE ON billing_documentfile
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_file_not_truncated BEFORE TRUNCATE ON billing_documentfile
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_document_not_truncated BEFORE TRUNCATE ON billing_document
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_line_not_truncated BEFORE TRUNCATE ON billing_documentline
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_series_not_truncated BEFORE TRUNCATE ON billing_documentseries
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();

-- A file belongs to an issued document, and says its own digest rightly.
CREATE FUNCTION billing_file_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM billing_document
    WHERE provider_id = NEW.provider_id AND id = NEW.document_id AND customer_id = NEW.customer_id AND number IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'document % is not issued: it has no file', NEW.document_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.sha256 IS DISTINCT FROM encode(sha256(NEW.content), 'hex') THEN
        RAISE EXCEPTION 'the file of document % has another SHA-256', NEW.document_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_file_guard BEFORE INSERT ON billing_documentfile
FOR EACH ROW EXECUTE FUNCTION billing_file_guard();
