/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean": the candidate at the smallest edit distance. */
#include "conf/conf_private.h"

#include <string.h>

#define LENGTH_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's, one row at a time; both are shorter than LENGTH_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[LENGTH_MAX + 1], b_length = strlen(b);

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[b_length];
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t length = strlen(suggestion->written), distance;

	if (length >= LENGTH_MAX || strlen(candidate) >= LENGTH_MAX)
		return;
	distance = edit_distance(suggestion->written, candidate);
	/* Further off than a third of the word is another word. */
	if (distance > 1 + length / 3)
		return;
	if (!suggestion->best || distance < suggestion->distance) {
		suggestion->best = candidate;
		suggestion->distance = distance;
	}
}
