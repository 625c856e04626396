/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Throughput of a backend: batches one after the other, as the store sends them
 * under load. Linked with a contract's target.
 */
#include "store_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

#define BATCH 64
#define USERS (BATCH * 250)

static struct user_record records[BATCH];
static struct store_item items[BATCH], *item_list[BATCH];

/* What an authorization of the primary leaves: a procedure, a migration. */
static void fill(struct user_record *record, unsigned user)
{
	struct procedure *procedure;
	struct migration *migration;
	char id[MCID_SIZE];

	snprintf(id, sizeof(id), "sip:user%05u@a.example", user);
	record_init(record, MC_SERVICE_MCPTT, ROLE_PRIMARY, id);
	procedure = record_add_procedure(record);
	*procedure = (struct procedure){
		.sequence = clock_utc_us(),
		.epoch = 1,
		.verb = MCINFO_AUTHORIZATION,
		.state = PROCEDURE_ANSWERING,
		.outcome = OUTCOME_SUCCESS,
		.peer_system = "b.example",
		.created_us = clock_utc_us(),
		.is_new = true,
		.changed = true,
	};
	uuid_random(&procedure->id);
	snprintf(procedure->partner_id, MCID_SIZE, "sip:visitor%05u@b.example",
		 user);
	strcpy(procedure->partner_id_given, procedure->partner_id);
	strcpy(procedure->primary_id_given, id);
	migration = record_add_migration(record);
	*migration = (struct migration){ .partner_system = "b.example",
					 .active = true,
					 .sequence = procedure->sequence,
					 .epoch = 1,
					 .changed = true };
	strcpy(migration->partner_id, procedure->partner_id);
	migration->procedure_id = procedure->id;
}

/* CPU of the whole process, the backend's thread included. */
static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
		   1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

struct phase {
	const char *name;
	uint64_t wall_us, cpu_us;
};

static void account(struct phase *phase, struct store *store,
		    int (*work)(struct store *, struct store_item **, size_t))
{
	uint64_t wall = clock_utc_us(), cpu = cpu_us();

	CU_ASSERT_EQUAL_FATAL(work(store, item_list, BATCH), 0);
	phase->wall_us += clock_utc_us() - wall;
	phase->cpu_us += cpu_us() - cpu;
}

static void print(const struct phase *phase)
{
	printf("%-8s %8.0f items/s %7.1f us an item %7.1f us CPU an item\n",
	       phase->name, USERS * 1e6 / (double)phase->wall_us,
	       (double)phase->wall_us / USERS, (double)phase->cpu_us / USERS);
}

static void test_batches(void)
{
	struct phase insert = { .name = "insert" }, load = { .name = "load" },
		     update = { .name = "update" };
	struct store *store;

	fixture_reset();
	store = fixture_open("n1", true);
	for (unsigned i = 0; i < BATCH; i++)
		item_list[i] = &items[i];
	for (unsigned user = 0; user < USERS; user += BATCH) {
		for (unsigned i = 0; i < BATCH; i++) {
			fill(&records[i], user + i);
			items[i] = (struct store_item){
				.record = &records[i],
				.procedure_id = records[i].procedures[0].id,
				.partner_id = "",
				.peer_system = "b.example",
			};
		}
		account(&insert, store, fixture_write);
		account(&load, store, fixture_load);
		for (unsigned i = 0; i < BATCH; i++) {
			records[i].procedures[0].state = PROCEDURE_DONE;
			records[i].procedures[0].finished_us = clock_utc_us();
			records[i].procedures[0].changed = true;
			records[i].migrations[0].changed = true;
		}
		account(&update, store, fixture_write);
		for (unsigned i = 0; i < BATCH; i++) {
			CU_ASSERT_EQUAL(items[i].status, STORE_ITEM_DONE);
			record_clear(&records[i]);
		}
	}
	fixture_close(store);
	puts("");
	print(&insert);
	print(&load);
	print(&update);
}

CU_TestInfo store_bench_tests[] = {
	{ "batches of 64", test_batches },
	CU_TEST_INFO_NULL,
};
