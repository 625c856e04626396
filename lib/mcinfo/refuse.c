/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a document is refused. */
#include "mcinfo/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int mcinfo_refuse(struct mcinfo_error *error, int status, const char *format,
		  ...)
{
	va_list args;

	error->status = status;
	error->warn_code = 399;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return EBADMSG;
}
