-- SPDX-License-Identifier: BSD-2-Clause
--
-- From version 1 of the PostgreSQL schema to version 2; everything stored is
-- kept. Refused at any other version. As the owner of the schema:
--   psql -v ON_ERROR_STOP=1 -f upgrade-2.sql CONNINFO
-- and after it roles.sql again. Daemons of version 1 that are connected go on
-- until they connect anew; those of version 2 wait for it.

BEGIN;
SET LOCAL search_path TO mcmig;
LOCK TABLE schema_version IN EXCLUSIVE MODE;

DO $$
DECLARE
	found integer := (SELECT max(version) FROM schema_version);
BEGIN
	IF found IS DISTINCT FROM 1 THEN
		RAISE EXCEPTION 'upgrade-2.sql is for schema version 1, this '
			'database has version %: nothing is changed', found;
	END IF;
END $$;

ALTER TABLE mc_system
	ADD COLUMN path text NOT NULL DEFAULT 'direct'
		CHECK (path IN ('direct', 'gateway'));

CREATE TABLE mc_gateway (
	uri      text COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(uri) < 128),
	priority integer NOT NULL DEFAULT 1 CHECK (priority >= 0),
	weight   integer NOT NULL DEFAULT 1 CHECK (weight >= 0)
);

CREATE TABLE mc_peer (
	system text COLLATE "C" NOT NULL
		REFERENCES mc_system (name) ON DELETE CASCADE,
	source text COLLATE "C" NOT NULL
		CHECK (length(source) BETWEEN 1 AND 255),
	PRIMARY KEY (system, source)
);

CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mc_gateway
	FOR EACH STATEMENT EXECUTE FUNCTION notify_provisioning();
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON mc_peer
	FOR EACH STATEMENT EXECUTE FUNCTION notify_provisioning();

INSERT INTO schema_version (version) VALUES (2);
COMMIT;
