/* SPDX-License-Identifier: BSD-2-Clause */
#include "migration_steps.h"

#include "unit.h"

void client_asks(enum mcinfo_verb verb, unsigned number)
{
	struct mcinfo info = document_request(verb, number, VISITOR, ALICE);

	CU_ASSERT_EQUAL_FATAL(server_receive(CLIENT_HOST, &info)->status, 200);
}

int primary_answers(size_t request, enum mcinfo_cause cause)
{
	struct mcinfo info = server_document(request);

	info = document_response(&info, cause);
	return server_receive(PEER_HOST, &info)->status;
}

/* Until the client has its success. */
void authorize(unsigned number)
{
	size_t request = server.sent_count;

	client_asks(MCINFO_AUTHORIZATION, number);
	server_answer(request, 200);
	CU_ASSERT_EQUAL(primary_answers(request, CAUSE_NONE), 200);
	server_answer(server_last_index(), 200);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
	CU_ASSERT_EQUAL(server_statistic("migration.live_procedures"), 0);
}

void partner_asks(enum mcinfo_verb verb, unsigned number, uint64_t sequence)
{
	struct mcinfo info = document_request(verb, number, GUEST, BOB);

	info.sequence = sequence;
	CU_ASSERT_EQUAL_FATAL(server_receive(PEER_HOST, &info)->status, 200);
}

const struct migration *bobs_migration(void)
{
	return tables_find_migration(server.tables,
				     tables_find_user(server.tables,
						      MC_SERVICE_MCPTT, BOB),
				     "a.example");
}

bool is_confirmed(void)
{
	const struct migration *migration = bobs_migration();

	return migration && migration->active;
}

unsigned live_count(void)
{
	return (unsigned)server_statistic("migration.live_procedures");
}

/* What is sent next within this time: its index; the test ends without. */
size_t next_within(uint64_t ms)
{
	size_t before = server.sent_count;

	for (uint64_t end_ms = server_now_ms() + ms;
	     server.sent_count == before && server_now_ms() < end_ms;)
		server_wait_ms(10);
	CU_ASSERT_EQUAL_FATAL(server.sent_count, before + 1);
	return before;
}

void leave_without_the_primary(unsigned number)
{
	size_t request = server.sent_count;

	client_asks(MCINFO_DEAUTHORIZATION, number);
	server_wait_ms(14990);
	CU_ASSERT_TRUE(server_is_mapped(ALICE));
	server_wait_ms(20);
	CU_ASSERT_FALSE(server_is_mapped(ALICE));
	CU_ASSERT_EQUAL(server.sent_count, request + 2);
	CU_ASSERT_EQUAL(server_document(request + 1).result, MCINFO_SUCCESS);
	server_answer(request + 1, 200);
	CU_ASSERT_EQUAL(live_count(), 1);
	CU_ASSERT_EQUAL(server.tables->mappings[0].mapping.status,
			MAPPING_RESERVED);
}
