DROP TRIGGER billing_document_drift ON billing_document;
DROP FUNCTION billing_document_drift();
