DROP TRIGGER mining_series_account_assigned ON mining_miningaccount;
DROP FUNCTION mining_series_account_assigned();
DROP FUNCTION mining_series_follow_account() CASCADE;
