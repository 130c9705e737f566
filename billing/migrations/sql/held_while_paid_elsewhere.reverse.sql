DROP TRIGGER billing_release_not_truncated ON billing_rewardrelease;
DROP TRIGGER billing_release_kept ON billing_rewardrelease;

CREATE OR REPLACE FUNCTION billing_document_drift() RETURNS trigger
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

DROP FUNCTION billing_strays(bigint, bigint[]);
DROP FUNCTION billing_one_spelling(text);
