DROP TRIGGER billing_component_guard ON billing_contractcomponent;
DROP FUNCTION billing_component_guard();
DROP TRIGGER billing_version_guard ON billing_contractversion;
DROP FUNCTION billing_version_guard();
DROP FUNCTION billing_last_day_billed_by(billing_contractversion);
