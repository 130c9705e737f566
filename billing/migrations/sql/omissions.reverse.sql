DROP TRIGGER billing_omission_pass_not_truncated ON billing_omissionpass;
DROP TRIGGER billing_omission_pass_kept ON billing_omissionpass;
DROP TRIGGER billing_omission_pass_guard ON billing_omissionpass;
DROP FUNCTION billing_omission_pass_guard();
DROP TRIGGER billing_document_a_incomplete ON billing_document;
DROP FUNCTION billing_document_incomplete();
DROP FUNCTION billing_omissions(bigint, bigint[]);
