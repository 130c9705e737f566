#!/bin/sh
# The owner that migrates, and the runtime role that owns nothing. The postgres image runs this once, on an empty volume;
# on a server of your own run it as its superuser. Safe to repeat: it sets both passwords and all rights again.
# The passwords come from the environment, so no command line shows them.
set -eu
psql --username postgres --no-psqlrc --quiet --set ON_ERROR_STOP=1 <<'SQL'
\getenv owner_password OWNER_DB_PASSWORD
\getenv runtime_password RUNTIME_DB_PASSWORD
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['portal_owner', 'portal_runtime']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE portal_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE portal_runtime LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'runtime_password';
ALTER ROLE portal_runtime SET temp_file_limit = '2GB';
SELECT 'CREATE DATABASE portal OWNER portal_owner ENCODING ''UTF8'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'portal') \gexec
-- Closing a month works with temporary tables; nobody else needs any.
REVOKE ALL ON DATABASE portal FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE portal TO portal_runtime;
\connect portal
ALTER SCHEMA public OWNER TO portal_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
-- A large object of the runtime role's could not be read by the owner, and no backup would be complete.
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
SQL
