/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixed list of causes of a failure response: names and texts. */
#include "mcinfo/mcinfo.h"

#include <string.h>

static const struct {
	const char *name;
	const char *text;
} causes[CAUSE_END] = {
	[CAUSE_NONE] = { "none", "" },
	[CAUSE_SUPERSEDED] = { "superseded",
			       "A newer procedure of this user counts." },
	[CAUSE_ENDED] = { "ended", "This migration has ended since." },
	[CAUSE_NOT_ADMITTED] = { "not-admitted",
				 "The partner MC system does not admit this "
				 "user." },
	[CAUSE_SYSTEM_DISABLED] = { "system-disabled",
				    "Migration with the other MC system is "
				    "switched off." },
	[CAUSE_PARTNER_ID_IN_USE] = { "partner-id-in-use",
				      "The partner MC service ID is held by or "
				      "reserved for another user." },
	[CAUSE_OTHER_PARTNER_ID] = { "other-partner-id",
				     "This user is here under another partner "
				     "MC service ID." },
	[CAUSE_NOT_MIGRATED] = { "not-migrated",
				 "This user is not migrated to this MC "
				 "system." },
	[CAUSE_USER_UNKNOWN] = { "user-unknown",
				 "The primary MC system does not know this "
				 "user." },
	[CAUSE_USER_DISABLED] = { "user-disabled",
				  "The primary MC system has disabled this "
				  "user." },
	[CAUSE_PROFILE_UNKNOWN] = { "profile-unknown",
				    "This user has no MC service user profile "
				    "with this index." },
	[CAUSE_NOT_PERMITTED] = { "not-permitted",
				  "This user may not migrate to this MC system "
				  "with this profile." },
	[CAUSE_PRIMARY_REFUSED] = { "primary-refused",
				    "The primary MC system refused the "
				    "request." },
	[CAUSE_PRIMARY_UNREACHABLE] = { "primary-unreachable",
					"The primary MC system gave no answer "
					"in time." },
	[CAUSE_OTHER] = { "other", "The request failed." },
};

const char *mcinfo_cause_name(enum mcinfo_cause cause)
{
	return causes[(unsigned)cause < CAUSE_END ? cause : CAUSE_OTHER].name;
}

const char *mcinfo_cause_text(enum mcinfo_cause cause)
{
	return causes[(unsigned)cause < CAUSE_END ? cause : CAUSE_OTHER].text;
}

enum mcinfo_cause mcinfo_cause_from_name(const char *name)
{
	for (int i = CAUSE_NONE + 1; i < CAUSE_END; i++) {
		if (!strcmp(name, causes[i].name))
			return (enum mcinfo_cause)i;
	}
	return CAUSE_OTHER;
}
