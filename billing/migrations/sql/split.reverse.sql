DROP FUNCTION billing_customer_sat_uncapped(bigint, bigint, bigint, text, text);
DROP FUNCTION billing_half_even_ppm(bigint, bigint);
