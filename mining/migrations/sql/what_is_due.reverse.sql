DROP FUNCTION mining_due(timestamptz, text[], int[], text[], text, interval, interval, interval, interval);
