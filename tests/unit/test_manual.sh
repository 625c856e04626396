#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mcmigd.conf.5 tells of every setting as mcmigd --help-config does.
set -eu

page=$srcdir/doc/man/mcmigd.conf.5
"$srcdir/doc/man/settings-part" >manual.tmp
if ! diff -u "$page" manual.tmp; then
	echo "write it anew: doc/man/settings-part says how"
	exit 1
fi
rm manual.tmp
