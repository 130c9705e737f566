DROP TRIGGER billing_document_guard ON billing_document;
DROP FUNCTION billing_document_guard();
