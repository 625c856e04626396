#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mcmigd exports its overrides of libc and nothing else: src/exports.list.
set -eu

program=src/.libs/mcmigd
[ -f "$program" ] || program=src/mcmigd
listed=$(sed -n 's/^\t\([a-z_]*\);$/\1/p' "$srcdir/src/exports.list" | sort)
exported=$(nm -D --defined-only "$program" |
	sed -n 's/^[0-9a-f]* [TDBRVW] \([a-z][a-z_]*\)$/\1/p' | sort)

if [ -z "$listed" ] || [ "$listed" != "$exported" ]; then
	printf 'listed:\n%s\nexported:\n%s\n' "$listed" "$exported"
	exit 1
fi
