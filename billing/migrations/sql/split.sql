-- The split of a reward as billing/split.py has it, for work on whole months: tests hold the two together.
-- Both are plain expressions without SET or STRICT, so that PostgreSQL inlines them into the query.

-- amount × part / 1,000,000 rounded half-even, for amount >= 0. Split at a million first: the product of a large amount
-- and a million would not fit 64 bits.
CREATE FUNCTION billing_half_even_ppm(amount bigint, part_ppm bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (amount / 1000000) * part_ppm + ((amount % 1000000) * part_ppm) / 1000000
        + CASE
            WHEN ((amount % 1000000) * part_ppm) % 1000000 > 500000 THEN 1
            WHEN ((amount % 1000000) * part_ppm) % 1000000 = 500000
                AND ((amount / 1000000) * part_ppm + ((amount % 1000000) * part_ppm) / 1000000) % 2 = 1 THEN 1
            ELSE 0
        END
$$;

-- The customer's part before the floor of 0.
CREATE FUNCTION billing_customer_sat_uncapped(total_sat bigint, net_sat bigint, share_ppm bigint, basis text, borne_by text)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN basis = 'gross' AND borne_by = 'customer'
            THEN billing_half_even_ppm(total_sat, 1000000 - share_ppm) - (total_sat - net_sat)
        WHEN basis = 'gross' AND borne_by = 'provider' THEN billing_half_even_ppm(total_sat, 1000000 - share_ppm)
        ELSE billing_half_even_ppm(net_sat, 1000000 - share_ppm)
    END
$$;
