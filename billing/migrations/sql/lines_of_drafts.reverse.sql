DROP TRIGGER billing_line_not_edited ON billing_documentline;
DROP FUNCTION billing_line_not_edited();
DROP TRIGGER billing_line_removed ON billing_documentline;
DROP TRIGGER billing_line_added ON billing_documentline;
DROP FUNCTION billing_line_guard();
