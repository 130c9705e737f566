DROP TRIGGER mining_account_assigned ON mining_miningaccount;
DROP FUNCTION mining_account_assigned();
DROP TRIGGER mining_reward_customer ON mining_reward;
DROP FUNCTION mining_customer_of_account();
