/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the test modules write what was called; core->program->arg is it. */
#ifndef MCMIG_TESTS_JOURNAL_H
#define MCMIG_TESTS_JOURNAL_H

#include <string.h>

struct journal {
	char text[1024];
};

static inline void journal_write(struct journal *journal, const char *name,
				 const char *called)
{
	size_t room = sizeof(journal->text) - 1;

	strncat(journal->text, name, room - strlen(journal->text));
	strncat(journal->text, called, room - strlen(journal->text));
}

#endif
