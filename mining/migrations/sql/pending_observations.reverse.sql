DROP FUNCTION mining_drop_pending_observations(bigint, timestamptz, int);
