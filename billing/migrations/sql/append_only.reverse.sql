DROP TRIGGER billing_file_guard ON billing_documentfile;
DROP FUNCTION billing_file_guard();
DROP FUNCTION billing_append_only() CASCADE;
