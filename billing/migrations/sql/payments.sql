-- Payments. What a fund has left and what a document has settled is the sum of their allocations, always: the runtime
-- role can only add allocations, the trigger below writes both, and each checks the sum for itself.
-- Locked in the order document, open, fund (who acts has locked the customer and the contract before).
CREATE FUNCTION billing_fund_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    used numeric;
    ended boolean;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'payment % is not deleted: it is taken back', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.amount_left IS DISTINCT FROM NEW.amount OR NEW.taken_back IS DISTINCT FROM false THEN
            RAISE EXCEPTION 'payment % must begin unused', NEW.code USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - 'amount_left' - 'taken_back' IS DISTINCT FROM to_jsonb(OLD) - 'amount_left' - 'taken_back' THEN
        RAISE EXCEPTION 'payment % does not change', OLD.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT coalesce(sum(amount), 0), coalesce(bool_or(document_id IS NULL), false) INTO used, ended
    FROM billing_allocation WHERE provider_id = OLD.provider_id AND fund_id = OLD.id;
    IF (NEW.amount_left, NEW.taken_back) IS DISTINCT FROM (NEW.amount - used, ended) THEN
        RAISE EXCEPTION 'payment % has % left, as its allocations say', OLD.code, NEW.amount - used
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_fund_guard BEFORE INSERT OR UPDATE OR DELETE ON billing_fund
FOR EACH ROW EXECUTE FUNCTION billing_fund_guard();

CREATE FUNCTION billing_open_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    used numeric;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'what is open of document % is not deleted', OLD.document_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT coalesce(sum(amount), 0) INTO used FROM billing_allocation
    WHERE provider_id = OLD.provider_id AND document_id = OLD.document_id;
    IF to_jsonb(NEW) - 'settled' IS DISTINCT FROM to_jsonb(OLD) - 'settled' OR NEW.settled IS DISTINCT FROM used THEN
        RAISE EXCEPTION 'document % has % settled, as its allocations say', OLD.document_id, used
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_open_guard BEFORE UPDATE OR DELETE ON billing_documentopen
FOR EACH ROW EXECUTE FUNCTION billing_open_guard();

CREATE FUNCTION billing_allocated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    document billing_document;
    fund billing_fund;
    original billing_allocation;
BEGIN
    SELECT * INTO document FROM billing_document
    WHERE provider_id = NEW.provider_id AND id = NEW.document_id FOR SHARE;
    SELECT * INTO fund FROM billing_fund WHERE provider_id = NEW.provider_id AND id = NEW.fund_id;
    IF (fund.customer_id, fund.asset) IS DISTINCT FROM (NEW.customer_id, NEW.asset) THEN
        RAISE EXCEPTION 'payment % is another customer''s, or in another asset', NEW.fund_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.reverses_id IS NOT NULL THEN
        SELECT * INTO original FROM billing_allocation WHERE provider_id = NEW.provider_id AND id = NEW.reverses_id;
        IF (original.fund_id, original.document_id, original.amount, original.reverses_id)
            IS DISTINCT FROM (NEW.fund_id, NEW.document_id, -NEW.amount, NULL::bigint) OR NEW.document_id IS NULL THEN
            RAISE EXCEPTION 'allocation % does not mirror the one it reverses', NEW.code
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    IF NEW.document_id IS NULL THEN
        UPDATE billing_fund SET amount_left = 0, taken_back = true
        WHERE provider_id = NEW.provider_id AND id = NEW.fund_id AND NOT taken_back AND amount_left = amount
            AND amount = NEW.amount;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'payment % is taken back as a whole, once, when nothing uses it', fund.code
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END IF;
    IF document.status IS DISTINCT FROM 'issued' THEN
        RAISE EXCEPTION 'document % is %: only an issued one takes money or gives it back', NEW.document_id,
            coalesce(document.status, 'not there') USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (document.customer_id, document.asset, document.type) IS DISTINCT FROM
        (fund.customer_id, fund.asset, CASE fund.paid_by WHEN 'customer' THEN 'invoice' ELSE 'settlement' END) THEN
        RAISE EXCEPTION 'payment % is not for document %', fund.code, document.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE billing_documentopen SET settled = settled + NEW.amount
    WHERE provider_id = NEW.provider_id AND document_id = NEW.document_id;
    UPDATE billing_fund SET amount_left = amount_left - NEW.amount
    WHERE provider_id = NEW.provider_id AND id = NEW.fund_id AND NOT taken_back;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'payment % was taken back', fund.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER billing_allocated AFTER INSERT ON billing_allocation
FOR EACH ROW EXECUTE FUNCTION billing_allocated();

CREATE TRIGGER billing_allocation_kept BEFORE UPDATE OR DELETE ON billing_allocation
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_allocation_not_truncated BEFORE TRUNCATE ON billing_allocation
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_fund_not_truncated BEFORE TRUNCATE ON billing_fund
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_open_not_truncated BEFORE TRUNCATE ON billing_documentopen
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_move_kept BEFORE UPDATE OR DELETE ON billing_documentmove
FOR EACH ROW EXECUTE FUNCTION billing_append_only();
CREATE TRIGGER billing_move_not_truncated BEFORE TRUNCATE ON billing_documentmove
FOR EACH STATEMENT EXECUTE FUNCTION billing_append_only();
