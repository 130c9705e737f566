DROP TRIGGER billing_number_is_used ON billing_documentseries;
DROP FUNCTION billing_number_is_used();
DROP TRIGGER billing_series_guard ON billing_documentseries;
DROP FUNCTION billing_series_guard();
