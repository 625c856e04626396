-- SPDX-License-Identifier: BSD-2-Clause
--
-- From version 1 of the SQLite schema to version 2; everything stored is kept.
-- Refused at any other version. As the owner of the file:
--   sqlite3 -bail FILE < upgrade-2.sql
-- A daemon of version 1 that has the file open goes on until it opens it anew;
-- one of version 2 waits for it.

BEGIN IMMEDIATE;

-- At another version this is the error, and the transaction is over.
CREATE TEMP TABLE upgrade (
	version INTEGER CONSTRAINT
		"upgrade-2.sql is for schema version 1: nothing is changed"
		CHECK (version IS 1)
);
INSERT OR ROLLBACK INTO upgrade SELECT max(version) FROM schema_version;

ALTER TABLE mc_system ADD COLUMN
	path TEXT NOT NULL DEFAULT 'direct' CHECK (path IN ('direct', 'gateway'));

CREATE TABLE mc_gateway (
	uri      TEXT NOT NULL PRIMARY KEY CHECK (length(uri) < 128),
	priority INTEGER NOT NULL DEFAULT 1 CHECK (priority >= 0),
	weight   INTEGER NOT NULL DEFAULT 1 CHECK (weight >= 0)
) STRICT;

CREATE TABLE mc_peer (
	system TEXT NOT NULL REFERENCES mc_system (name) ON DELETE CASCADE,
	source TEXT NOT NULL CHECK (length(source) BETWEEN 1 AND 255),
	PRIMARY KEY (system, source)
) STRICT;

INSERT INTO schema_version (version) VALUES (2);
DROP TABLE temp.upgrade;
COMMIT;
