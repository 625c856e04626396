-- SPDX-License-Identifier: BSD-2-Clause
--
-- Roles of the mcmig schema and what each may do. Run it after schema.sql and
-- after each upgrade, as the owner of the schema and with the right to create
-- roles; again is fine.
-- They have no login: grant them to those who have, for example
--   CREATE ROLE mcmig_b1 LOGIN PASSWORD '...' IN ROLE mcmig_daemon;

BEGIN;
DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY ARRAY['mcmig_daemon', 'mcmig_provisioning',
		'mcmig_call_control']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', r);
		END IF;
	END LOOP;
END $$;

GRANT USAGE ON SCHEMA mcmig
	TO mcmig_daemon, mcmig_provisioning, mcmig_call_control;

-- mcmigd: reads what is provisioned, keeps the state.
GRANT SELECT ON ALL TABLES IN SCHEMA mcmig TO mcmig_daemon;
GRANT INSERT, UPDATE ON mcmig.node, mcmig.user_state, mcmig.procedure,
	mcmig.partner_mapping, mcmig.primary_migration TO mcmig_daemon;
GRANT DELETE ON mcmig.procedure, mcmig.user_state TO mcmig_daemon;

-- People and tools that provision: they see the state, but only the daemons
-- change it, under guards that know of no other writer.
GRANT SELECT ON mcmig.schema_version, mcmig.mc_service, mcmig.node,
	mcmig.user_state, mcmig.procedure, mcmig.partner_mapping,
	mcmig.primary_migration, mcmig.redirection TO mcmig_provisioning;
GRANT SELECT, INSERT, UPDATE, DELETE ON mcmig.mc_system,
	mcmig.mc_system_domain, mcmig.mc_server, mcmig.mc_gateway,
	mcmig.mc_peer, mcmig.mc_user, mcmig.user_profile, mcmig.permission,
	mcmig.admission
	TO mcmig_provisioning;

-- Call control: where a user is reached now, and nothing else.
GRANT SELECT ON mcmig.redirection TO mcmig_call_control;
COMMIT;
