DROP TRIGGER mining_account_stays ON mining_miningaccount;
DROP FUNCTION mining_account_stays();
