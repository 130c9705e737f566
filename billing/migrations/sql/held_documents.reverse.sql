DROP TRIGGER billing_approval_not_truncated ON billing_rewardapproval;
DROP TRIGGER billing_approval_kept ON billing_rewardapproval;
DROP TRIGGER billing_document_a_hold ON billing_document;
DROP FUNCTION billing_document_held();
DROP FUNCTION billing_misdirected_on(bigint, bigint[]);
DROP FUNCTION billing_misdirected(bigint);
DROP FUNCTION billing_one_spelling(text);
