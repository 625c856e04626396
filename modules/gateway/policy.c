/* SPDX-License-Identifier: BSD-2-Clause */
/* "mcptt:authorization", "mcptt:*", "*": which procedures pass. */
#include <errno.h>
#include <string.h>

#include "gateway/gateway.h"

static const char *const verbs[] = {
	[MCINFO_AUTHORIZATION] = "authorization",
	[MCINFO_DEAUTHORIZATION] = "deauthorization",
};
#define VERBS_END (sizeof(verbs) / sizeof(verbs[0]))

static policy_t bit(enum mc_service service, enum mcinfo_verb verb)
{
	return UINT32_C(1) << (service * VERBS_END + verb);
}

static bool is_any(const char *word, size_t length)
{
	return length == 1 && *word == '*';
}

static bool is_word(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && !memcmp(word, name, length);
}

/* The bits of one value; 0: it names nothing. */
static policy_t value_bits(const char *value)
{
	size_t service_length = strcspn(value, ":");
	const char *verb = value + service_length;
	policy_t bits = 0;

	if (*verb == ':')
		verb++;
	else if (is_any(value, service_length))
		verb = "*";
	for (int s = 1; s < MC_SERVICE_END; s++) {
		if (!is_any(value, service_length) &&
		    !is_word(value, service_length,
			     mc_service_info((enum mc_service)s)->name))
			continue;
		for (size_t v = 1; v < VERBS_END; v++) {
			if (is_any(verb, strlen(verb)) ||
			    !strcmp(verb, verbs[v]))
				bits |= bit((enum mc_service)s,
					    (enum mcinfo_verb)v);
		}
	}
	return bits;
}

int policy_parse(const struct setting_list *list, policy_t *policyp,
		 const char **badp)
{
	*policyp = 0;
	for (size_t i = 0; i < list->count; i++) {
		policy_t bits = value_bits(list->values[i]);

		if (!bits) {
			*badp = list->values[i];
			return EINVAL;
		}
		*policyp |= bits;
	}
	return 0;
}

bool policy_allows(policy_t policy, enum mc_service service,
		   enum mcinfo_verb verb)
{
	return policy & bit(service, verb);
}
