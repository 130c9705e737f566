DROP TRIGGER mining_link_stays ON mining_watcherlink;
DROP FUNCTION mining_link_stays();
DROP TRIGGER mining_link_account_assigned ON mining_miningaccount;
DROP FUNCTION mining_link_account_assigned();
DROP TRIGGER mining_agreement_customer ON mining_payoutagreement;
DROP TRIGGER mining_link_customer ON mining_watcherlink;
