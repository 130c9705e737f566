DROP FUNCTION mining_reward_due(bigint, bigint, date);
