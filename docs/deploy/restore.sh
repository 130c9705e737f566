#!/bin/sh
# A file of backup.sh, from standard input, into an empty database `portal` that roles.sh has made: all of it or nothing.
# Of the schema alone, because the file also repeats what roles.sh took from everybody, which the owner may not.
set -eu
exec pg_restore --username "${PGUSER:-portal_owner}" --dbname portal --schema public --single-transaction --exit-on-error
