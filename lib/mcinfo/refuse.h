/* SPDX-License-Identifier: BSD-2-Clause */
/* How the parts of the parser say why they refuse a document. */
#ifndef MCMIG_MCINFO_REFUSE_H
#define MCMIG_MCINFO_REFUSE_H

#include "mcinfo/mcinfo.h"

/*
 * Fills `error`; always EBADMSG. The text must hold nothing of the message:
 * it goes into a Warning header, and into logs.
 */
int mcinfo_refuse(struct mcinfo_error *error, int status, const char *format,
		  ...) __attribute__((format(printf, 3, 4)));

#endif
