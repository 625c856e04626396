/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps of the flows, as the tests of the migration module take them. */
#ifndef MCMIG_TESTS_MIGRATION_STEPS_H
#define MCMIG_TESTS_MIGRATION_STEPS_H

#include "migration_fixture.h"

#define CLIENT_URI "sip:" CLIENT_HOST ":5070;transport=udp"
#define OTHER_CLIENT_URI "sip:" CLIENT_HOST ":5999;transport=udp"
#define HOUR_MS UINT64_C(3600000)

/* Alice's client asks us, and is answered 200. */
void client_asks(enum mcinfo_verb verb, unsigned number);
/* Her primary's response to our sent[request]; returns our answer. */
int primary_answers(size_t request, enum mcinfo_cause cause);
/* Until the client has its success. */
void authorize(unsigned number);
/* De-authorized, while the primary is silent: it remains to be told. */
void leave_without_the_primary(unsigned number);

/* Bob's partner asks us, and is answered 200. */
void partner_asks(enum mcinfo_verb verb, unsigned number, uint64_t sequence);
const struct migration *bobs_migration(void);
bool is_confirmed(void);

unsigned live_count(void);
/* What is sent next within this time: its index; the test ends without. */
size_t next_within(uint64_t ms);

#endif
