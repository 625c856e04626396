-- SPDX-License-Identifier: BSD-2-Clause
--
-- The SQLite schema of mcmig as version 2 was: what upgrade-3.sql begins with.
-- It has the tables and columns of db/postgresql/schema.sql, where they are
-- explained (all but written_by and is_live: the one writer needs none, and its
-- indexes gain nothing). Timestamps are text in UTC, YYYY-MM-DDTHH:MM:SSZ; UUIDs
-- lower case text; booleans 0 and 1 (TRUE and FALSE may be written). Provision
-- with PRAGMA foreign_keys = ON.

PRAGMA journal_mode = WAL;
PRAGMA foreign_keys = ON;
BEGIN IMMEDIATE;

CREATE TABLE schema_version (
	version    INTEGER NOT NULL PRIMARY KEY,
	applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ'))
) STRICT;
INSERT INTO schema_version (version) VALUES (2);

CREATE TABLE secret (
	name  TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL CHECK (length(value) = 36)
) STRICT;
-- A random UUID of version 4: its 13th and 17th hex digits are given.
INSERT INTO secret (name, value)
SELECT 'procedure-id-key', substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' ||
       substr(h, 14, 3) || '-' ||
       substr('89ab', 1 + (unicode(substr(h, 17, 1)) & 3), 1) ||
       substr(h, 18, 3) || '-' || substr(h, 21, 12)
FROM (SELECT lower(hex(randomblob(16))) AS h);

CREATE TABLE mc_service (
	service INTEGER NOT NULL PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO mc_service (service, name)
VALUES (1, 'mcptt'), (2, 'mcvideo'), (3, 'mcdata');

-- ---------------------------------------------------------------- provisioned

CREATE TABLE mc_system (
	name    TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 63),
	enabled INTEGER NOT NULL DEFAULT TRUE CHECK (enabled IN (0, 1)),
	path TEXT NOT NULL DEFAULT 'direct' CHECK (path IN ('direct', 'gateway'))
) STRICT;

CREATE TABLE mc_system_domain (
	domain TEXT NOT NULL PRIMARY KEY CHECK (domain = lower(domain)),
	system TEXT NOT NULL REFERENCES mc_system (name) ON DELETE CASCADE
) STRICT;

CREATE TABLE mc_server (
	system   TEXT NOT NULL REFERENCES mc_system (name) ON DELETE CASCADE,
	uri      TEXT NOT NULL CHECK (length(uri) < 128),
	priority INTEGER NOT NULL DEFAULT 1 CHECK (priority >= 0),
	weight   INTEGER NOT NULL DEFAULT 1 CHECK (weight >= 0),
	PRIMARY KEY (system, uri)
) STRICT;

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

CREATE TABLE mc_user (
	primary_id TEXT NOT NULL PRIMARY KEY CHECK (length(primary_id) < 256),
	enabled    INTEGER NOT NULL DEFAULT TRUE CHECK (enabled IN (0, 1))
) STRICT;

CREATE TABLE user_profile (
	primary_id    TEXT NOT NULL
		REFERENCES mc_user (primary_id) ON DELETE CASCADE,
	service       TEXT NOT NULL REFERENCES mc_service (name),
	profile_index INTEGER NOT NULL CHECK (profile_index BETWEEN 0 AND 255),
	PRIMARY KEY (primary_id, service, profile_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE permission (
	primary_id     TEXT NOT NULL,
	service        TEXT NOT NULL,
	profile_index  INTEGER NOT NULL,
	partner_system TEXT NOT NULL, -- a name of mc_system, or '*'
	PRIMARY KEY (primary_id, service, profile_index, partner_system),
	FOREIGN KEY (primary_id, service, profile_index)
		REFERENCES user_profile ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE admission (
	admission_id   INTEGER PRIMARY KEY,
	primary_system TEXT NOT NULL
		REFERENCES mc_system (name) ON DELETE CASCADE,
	primary_id     TEXT CHECK (length(primary_id) < 256),
	partner_id     TEXT CHECK (length(partner_id) < 256),
	-- NULL: always
	valid_from     TEXT CHECK (valid_from IS NULL OR
		(valid_from GLOB '[0-9]*-[0-9]*-[0-9]*' AND
		 julianday(valid_from) IS NOT NULL)),
	-- NULL: for ever; exclusive
	valid_until    TEXT CHECK (valid_until IS NULL OR
		(valid_until GLOB '[0-9]*-[0-9]*-[0-9]*' AND
		 julianday(valid_until) IS NOT NULL))
) STRICT;
CREATE INDEX admission_by_primary_id ON admission (primary_system, primary_id);

-- ---------------------------------------------------------------------- state

CREATE TABLE node (
	name        TEXT NOT NULL PRIMARY KEY,
	incarnation INTEGER NOT NULL,
	lease_until TEXT NOT NULL
) STRICT;

CREATE TABLE user_state (
	service         INTEGER NOT NULL,
	primary_id      TEXT NOT NULL,
	role            INTEGER NOT NULL, -- 1 partner, 2 primary
	version         INTEGER NOT NULL,
	last_sequence   INTEGER NOT NULL,
	last_order      INTEGER NOT NULL,
	last_epoch      INTEGER NOT NULL,
	confirmed_epoch INTEGER NOT NULL,
	touched_us      INTEGER NOT NULL,
	PRIMARY KEY (service, primary_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE procedure (
	service          INTEGER NOT NULL,
	primary_id       TEXT NOT NULL,
	procedure_id     TEXT NOT NULL,
	partner_id       TEXT NOT NULL,
	sequence         INTEGER NOT NULL, -- 0: refused before it had one
	role             INTEGER NOT NULL, -- 1 partner, 2 primary
	verb             INTEGER NOT NULL, -- 1 authorization, 2 de-authorization
	state            INTEGER NOT NULL, -- 1 forwarding, 2 awaiting response,
	                                   -- 3 answering, 4 done
	outcome          INTEGER NOT NULL, -- 0 none, 1 success, 2 failure
	cause            INTEGER NOT NULL,
	telling          INTEGER NOT NULL CHECK (telling IN (0, 1)),
	profile_index    INTEGER NOT NULL,
	"order"          INTEGER NOT NULL,
	epoch            INTEGER NOT NULL,
	partner_id_given TEXT, -- NULL: as partner_id
	primary_id_given TEXT, -- NULL: as primary_id
	peer_system      TEXT NOT NULL,
	client_uri       TEXT NOT NULL,
	created_us       INTEGER NOT NULL,
	deadline_us      INTEGER NOT NULL,
	finished_us      INTEGER NOT NULL,
	node             TEXT NOT NULL,
	incarnation      INTEGER NOT NULL,
	PRIMARY KEY (service, primary_id, procedure_id, partner_id, sequence)
) STRICT; -- rowids keep its four indexes small
CREATE INDEX procedure_live ON procedure (service, primary_id)
	WHERE state <> 4 OR telling;
CREATE INDEX procedure_by_id ON procedure (procedure_id);
CREATE INDEX procedure_finished ON procedure (finished_us)
	WHERE state = 4 AND NOT telling;

CREATE TABLE partner_mapping (
	service        INTEGER NOT NULL,
	partner_id     TEXT NOT NULL,
	primary_id     TEXT NOT NULL,
	primary_system TEXT NOT NULL,
	version        INTEGER NOT NULL,
	status         INTEGER NOT NULL, -- 1 active, 2 reserved, 3 ended
	procedure_id   TEXT NOT NULL,
	sequence       INTEGER NOT NULL,
	profile_index  INTEGER NOT NULL,
	started_us     INTEGER NOT NULL,
	ended_us       INTEGER NOT NULL,
	PRIMARY KEY (service, partner_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX partner_mapping_by_primary_id
	ON partner_mapping (service, primary_id);

CREATE TABLE primary_migration (
	service               INTEGER NOT NULL,
	primary_id            TEXT NOT NULL,
	partner_system        TEXT NOT NULL,
	partner_id            TEXT NOT NULL, -- '': never confirmed
	active                INTEGER NOT NULL CHECK (active IN (0, 1)),
	procedure_id          TEXT NOT NULL,
	sequence              INTEGER NOT NULL,
	deauthorized_sequence INTEGER NOT NULL,
	epoch                 INTEGER NOT NULL,
	profile_index         INTEGER NOT NULL,
	started_us            INTEGER NOT NULL,
	ended_us              INTEGER NOT NULL,
	PRIMARY KEY (service, primary_id, partner_system)
) STRICT, WITHOUT ROWID;

CREATE INDEX primary_migration_by_partner_id
	ON primary_migration (service, partner_id);

-- ---------------------------------------------------------------------- views

-- CROSS JOIN keeps the order of the loops: a look for one ID goes through the
-- three services, each by the primary key.
CREATE VIEW redirection AS
SELECT s.name AS service, m.primary_id AS mc_service_id,
       m.partner_id AS target_mc_service_id,
       'to_partner' AS direction, m.started_us AS since_us
FROM mc_service s
CROSS JOIN primary_migration m ON m.service = s.service
CROSS JOIN user_state u ON u.service = m.service
	AND u.primary_id = m.primary_id AND u.confirmed_epoch = m.epoch
WHERE m.active
UNION ALL
SELECT s.name, m.partner_id, m.primary_id, 'to_primary', m.ended_us
FROM mc_service s
CROSS JOIN partner_mapping m ON m.service = s.service
WHERE m.status <> 1;

COMMIT;
