DROP TRIGGER billing_tx_balanced ON billing_journaltx;
DROP FUNCTION billing_tx_balanced();
DROP TRIGGER billing_reversal_guard ON billing_journaltx;
DROP FUNCTION billing_reversal_guard();
ALTER TABLE billing_journalentry
    DROP CONSTRAINT billing_entry_account_asset,
    DROP CONSTRAINT billing_entry_header_legs;
