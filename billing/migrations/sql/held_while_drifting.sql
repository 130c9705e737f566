-- While the pool pays a customer's rewards elsewhere than was agreed, nothing is issued for the customer.
CREATE FUNCTION billing_document_drift() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM mining_miningaccount
    WHERE provider_id = NEW.provider_id AND customer_id = NEW.customer_id AND payout_drift_since IS NOT NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'document % is held: the rewards of its customer go elsewhere than was agreed', NEW.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_document_drift BEFORE UPDATE ON billing_document
FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status = 'issued') EXECUTE FUNCTION billing_document_drift();
