DROP TRIGGER billing_entry_balanced ON billing_journalentry;
DROP FUNCTION billing_entry_balanced();
DROP TRIGGER billing_tx_balanced ON billing_journaltx;
DROP FUNCTION billing_tx_balanced();
DROP TRIGGER billing_entry_guard ON billing_journalentry;
DROP FUNCTION billing_entry_guard();
DROP TRIGGER billing_tx_made ON billing_journaltx;
DROP FUNCTION billing_tx_made();
