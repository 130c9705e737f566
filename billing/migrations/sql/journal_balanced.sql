-- The books. L1: a transaction has two legs or more and sums to zero per asset. L2: legs are added only in the database
-- transaction that made the header. L4: a leg's asset is its account's. L7: a reversal mirrors the legs of what it
-- reverses, once, and is not itself reversed. (L5, L6 are constraints; L3 is append_only.sql and the grants.)
CREATE FUNCTION billing_tx_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    original billing_journaltx;
BEGIN
    NEW.made_in := pg_current_xact_id()::text::bigint;
    IF NEW.reverses_id IS NOT NULL THEN
        SELECT * INTO original FROM billing_journaltx WHERE provider_id = NEW.provider_id AND id = NEW.reverses_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no transaction % to reverse', NEW.reverses_id USING ERRCODE = 'foreign_key_violation';
        END IF;
        IF original.reverses_id IS NOT NULL THEN
            RAISE EXCEPTION 'transaction % is a reversal: post anew instead of reversing it', original.code
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_tx_made BEFORE INSERT ON billing_journaltx
FOR EACH ROW EXECUTE FUNCTION billing_tx_made();

CREATE FUNCTION billing_entry_guard() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM billing_journaltx
    WHERE provider_id = NEW.provider_id AND id = NEW.tx_id AND made_in = pg_current_xact_id()::text::bigint;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'legs are added only in the transaction that made their header' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM 1 FROM billing_ledgeraccount
    WHERE provider_id = NEW.provider_id AND id = NEW.account_id AND asset = NEW.asset;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account % is not an account in %', NEW.account_id, NEW.asset USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER billing_entry_guard BEFORE INSERT ON billing_journalentry
FOR EACH ROW EXECUTE FUNCTION billing_entry_guard();

CREATE FUNCTION billing_tx_balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM billing_journalentry WHERE provider_id = NEW.provider_id AND tx_id = NEW.id) < 2 THEN
        RAISE EXCEPTION 'transaction % has fewer than two legs', NEW.code USING ERRCODE = 'integrity_constraint_violation';
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

-- Once for a header, not for each leg: n checks of n legs would be n².
CREATE CONSTRAINT TRIGGER billing_tx_balanced AFTER INSERT ON billing_journaltx
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_tx_balanced();

-- And once more for each leg: a deferred check that was forced early (SET CONSTRAINTS … IMMEDIATE) leaves the header open
-- for further legs. A transaction of ours has three legs, so the repetition costs little.
CREATE FUNCTION billing_entry_balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM billing_journalentry WHERE provider_id = NEW.provider_id AND tx_id = NEW.tx_id
        GROUP BY asset HAVING sum(amount_sat) <> 0
    ) THEN
        RAISE EXCEPTION 'the legs of transaction % do not sum to zero', NEW.tx_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER billing_entry_balanced AFTER INSERT ON billing_journalentry
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_entry_balanced();
