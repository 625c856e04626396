-- SPDX-License-Identifier: BSD-2-Clause
--
-- From version 2 of the SQLite schema to version 3; everything stored is kept.
-- Refused at any other version. As the owner of the file:
--   sqlite3 -bail FILE < upgrade-3.sql
-- A daemon of version 2 that has the file open goes on until it opens it anew;
-- one of version 3 waits for it.

BEGIN IMMEDIATE;

-- At another version this is the error, and the transaction is over.
CREATE TEMP TABLE upgrade (
	version INTEGER CONSTRAINT
		"upgrade-3.sql is for schema version 2: nothing is changed"
		CHECK (version IS 2)
);
INSERT OR ROLLBACK INTO upgrade SELECT max(version) FROM schema_version;

ALTER TABLE procedure ADD COLUMN
	client_identity TEXT NOT NULL DEFAULT ''
		CHECK (length(client_identity) < 256);

INSERT INTO schema_version (version) VALUES (3);
DROP TABLE temp.upgrade;
COMMIT;
