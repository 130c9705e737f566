DROP FUNCTION mining_seconds(tstzmultirange);
