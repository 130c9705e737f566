#!/bin/sh
# Run once by the postgres image on an empty volume: the owner that migrates, and the runtime role that owns nothing.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 --set owner_password="$OWNER_DB_PASSWORD" --set runtime_password="$RUNTIME_DB_PASSWORD" <<'SQL'
CREATE ROLE portal_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE portal_runtime LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB PASSWORD :'runtime_password';
CREATE DATABASE portal OWNER portal_owner ENCODING 'UTF8' TEMPLATE template0;
\connect portal
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO portal_owner;
GRANT CONNECT, TEMPORARY ON DATABASE portal TO portal_runtime;
SQL
