-- Series by month, so that what has grown old goes with its table and no index outlives its use. Django makes a plain
-- table; here it becomes a partitioned one of the same columns, key, checks and indexes.
CREATE FUNCTION mining_partitioned() RETURNS TABLE (parent text, by_column text, kept interval)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    VALUES ('mining_hashratepoint5m', 'at', interval '31 days'),
           ('mining_hashratepoint', 'at', interval '13 months'),
           ('mining_counts', 'at', interval '25 months'),
           ('mining_outage', 'from_at', interval '25 months')
$$;

DO $$
DECLARE
    series record;
BEGIN
    FOR series IN SELECT * FROM mining_partitioned() LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', series.parent, series.parent || '_plain');
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY RANGE (%I)',
                       series.parent, series.parent || '_plain', series.by_column);
        EXECUTE format('DROP TABLE %I', series.parent || '_plain');
    END LOOP;
END $$;

-- Makes the months from `first` to `last` that are not there yet. The parent's policies and grants stand before its
-- partitions; by name nobody but the owner gets at one. Made apart and then attached: that keeps no reader out.
CREATE FUNCTION mining_make_partitions(first date, last date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    series record;
    starts date;
    made integer := 0;
BEGIN
    IF last > current_date + 400 THEN
        RAISE EXCEPTION 'no partitions are made for %', last USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('mining_make_partitions'));
    FOR series IN
        SELECT parent, by_column, parent || to_char(month, '"_p"YYYYMM') AS child, month::date AS month
        FROM mining_partitioned(),
             generate_series(date_trunc('month', first::timestamp), last::timestamp, interval '1 month') AS month
        WHERE to_regclass('public.' || parent || to_char(month, '"_p"YYYYMM')) IS NULL
        ORDER BY parent, month
    LOOP
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', series.child, series.parent);
        EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC', series.child);
        EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', series.child);
        EXECUTE format('CREATE POLICY owner_all ON public.%I TO CURRENT_ROLE USING (true) WITH CHECK (true)',
                       series.child);
        EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                       series.parent, series.child, to_char(series.month, 'YYYY-MM-DD 00:00+00'),
                       to_char(series.month + interval '1 month', 'YYYY-MM-DD 00:00+00'));
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- Takes away the months that are wholly older than they are kept. Their ages stand here and not in an argument: whoever
-- may call this can lose nothing by it.
CREATE FUNCTION mining_drop_old_partitions() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    child text;
    dropped integer := 0;
BEGIN
    FOR child IN
        SELECT partition.relname
        FROM mining_partitioned() AS series
        JOIN pg_inherits ON inhparent = to_regclass('public.' || series.parent)
        JOIN pg_class AS partition ON partition.oid = inhrelid
        WHERE to_date(right(partition.relname, 6), 'YYYYMM') + interval '1 month' < now() - series.kept
        ORDER BY partition.relname
    LOOP
        EXECUTE format('DROP TABLE public.%I', child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

-- Moments of readings are whole seconds: sums over them are then exact, whoever adds.
ALTER TABLE mining_counts ADD CONSTRAINT mining_counts_seconds
    CHECK (date_trunc('second', at) = at AND date_trunc('second', not_before) = not_before);
ALTER TABLE mining_outage ADD CONSTRAINT mining_outage_seconds
    CHECK (date_trunc('second', from_at) = from_at AND date_trunc('second', from_not_before) = from_not_before
           AND date_trunc('second', until_at) = until_at AND date_trunc('second', until_not_before) = until_not_before
           AND date_trunc('second', retired_at) = retired_at);
ALTER TABLE mining_opencoverage ADD CONSTRAINT mining_opencoverage_seconds
    CHECK (date_trunc('second', from_at) = from_at AND date_trunc('second', until_at) = until_at);
ALTER TABLE mining_coverage ADD CONSTRAINT mining_coverage_seconds
    CHECK (date_trunc('second', from_at) = from_at AND date_trunc('second', until_at) = until_at);
ALTER TABLE mining_exclusion ADD CONSTRAINT mining_exclusion_seconds
    CHECK (date_trunc('second', from_at) = from_at AND date_trunc('second', until_at) = until_at);
ALTER TABLE mining_worker ADD CONSTRAINT mining_worker_seconds
    CHECK (date_trunc('second', first_seen_at) = first_seen_at AND date_trunc('second', retired_at) = retired_at);

-- Half of each page stays free, so that the end of a span is written beside the row and its index stays as it is.
ALTER TABLE mining_opencoverage SET (fillfactor = 50);
