DROP TRIGGER billing_document_opened ON billing_document;
DROP FUNCTION billing_document_opened();
DROP TRIGGER billing_document_guard ON billing_document;
DROP FUNCTION billing_document_guard();
DROP FUNCTION billing_later_document(bigint, bigint);
