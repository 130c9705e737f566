#!/bin/sh
# The whole database `portal` as one file, on standard output. PGUSER, PGHOST and the like say as whom and where; it has
# to be the owner, whom row-level security shows every row.
set -eu
exec pg_dump --username "${PGUSER:-portal_owner}" --enable-row-security --no-large-objects --format custom portal
