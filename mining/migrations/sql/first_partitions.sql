-- The first readings go back weeks, those of a demo months, and a row without a partition is an error: from four months
-- ago, or from before anybody used this, until the task that keeps them (mining.tasks.keep_partitions) has taken over.
SELECT mining_make_partitions(least(date '2026-09-01', current_date - 120), current_date + 120);
