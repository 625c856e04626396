-- SPDX-License-Identifier: BSD-2-Clause
--
-- From version 2 of the PostgreSQL schema to version 3; everything stored is
-- kept. Refused at any other version. As the owner of the schema:
--   psql -v ON_ERROR_STOP=1 -f upgrade-3.sql CONNINFO
-- Daemons of version 2 that are connected go on until they connect anew, and
-- what they write has asked for no identity; those of version 3 wait for it.
-- It reads through the journal once, and nobody writes meanwhile.

BEGIN;
SET LOCAL search_path TO mcmig;
LOCK TABLE schema_version IN EXCLUSIVE MODE;

DO $$
DECLARE
	found integer := (SELECT max(version) FROM schema_version);
BEGIN
	IF found IS DISTINCT FROM 2 THEN
		RAISE EXCEPTION 'upgrade-3.sql is for schema version 2, this '
			'database has version %: nothing is changed', found;
	END IF;
END $$;

ALTER TABLE procedure
	ADD COLUMN client_identity text NOT NULL DEFAULT ''
		CHECK (length(client_identity) < 256);

INSERT INTO schema_version (version) VALUES (3);
COMMIT;
