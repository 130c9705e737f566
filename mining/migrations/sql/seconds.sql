-- How long ranges are together. All moments of readings are whole seconds.
CREATE FUNCTION mining_seconds(ranges tstzmultirange) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(sum(extract(epoch FROM upper(range) - lower(range))), 0)::bigint FROM unnest(ranges) AS range
$$;
