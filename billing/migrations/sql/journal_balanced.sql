-- The books. L1: a transaction has two legs or more and sums to zero per asset. L2: legs are never added to it later.
-- L4: a leg's asset is its account's. L7: a reversal mirrors the legs of what it reverses, once, and is not itself
-- reversed. (L5, L6 are constraints; L3 is append_only.sql and the grants.)
--
-- L2 is kept by what the rows say: a header states how many legs it has, each leg states the same number and which of
-- them it is, and at commit they are all there. Path not taken: the id of the database transaction that made the header.
-- Another cluster counts those anew, so after a restore an old header was open again.
ALTER TABLE billing_journalentry
    ADD CONSTRAINT billing_entry_header_legs FOREIGN KEY (provider_id, tx_id, legs)
        REFERENCES billing_journaltx (provider_id, id, legs),
    ADD CONSTRAINT billing_entry_account_asset FOREIGN KEY (provider_id, account_id, asset)
        REFERENCES billing_ledgeraccount (provider_id, id, asset);

CREATE FUNCTION billing_reversal_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    original billing_journaltx;
BEGIN
    SELECT * INTO original FROM billing_journaltx WHERE provider_id = NEW.provider_id AND id = NEW.reverses_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no transaction % to reverse', NEW.reverses_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF original.reverses_id IS NOT NULL THEN
        RAISE EXCEPTION 'transaction % is a reversal: post anew instead of reversing it', original.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_reversal_guard BEFORE INSERT ON billing_journaltx
FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL) EXECUTE FUNCTION billing_reversal_guard();

-- Once for a header, not for each leg: n checks of n legs would be n². A check that was forced early (SET CONSTRAINTS …
-- IMMEDIATE) has found every leg there, so no further one fits.
CREATE FUNCTION billing_tx_balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    there bigint;
BEGIN
    SELECT count(*) INTO there FROM billing_journalentry WHERE provider_id = NEW.provider_id AND tx_id = NEW.id;
    IF there <> NEW.legs THEN
        RAISE EXCEPTION 'transaction % has % of its % legs', NEW.code, there, NEW.legs
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT 1 FROM billing_journalentry WHERE provider_id = NEW.provider_id AND tx_id = NEW.id
        GROUP BY asset HAVING sum(amount_sat) <> 0
    ) THEN
        RAISE EXCEPTION 'transaction % does not sum to zero', NEW.code USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.reverses_id IS NOT NULL AND EXISTS (
        SELECT 1 FROM billing_journalentry
        WHERE provider_id = NEW.provider_id AND tx_id IN (NEW.id, NEW.reverses_id)
        GROUP BY account_id, asset, abs(amount_sat)
        HAVING sum(amount_sat) <> 0
            OR count(*) FILTER (WHERE tx_id = NEW.id) <> count(*) FILTER (WHERE tx_id = NEW.reverses_id)
    ) THEN
        RAISE EXCEPTION 'transaction % does not mirror the legs of the one it reverses', NEW.code
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_tx_balanced AFTER INSERT ON billing_journaltx
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_tx_balanced();
