DROP FUNCTION mining_drop_old_partitions();
DROP FUNCTION mining_make_partitions(date, date);
DROP FUNCTION mining_partitioned();
