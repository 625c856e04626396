#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mcmigd takes every configuration of doc/examples and of the pages below.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Each block that begins with "modules" of a page becomes a file.
extract() {
	awk -v folder="$folder" -v name="$(basename "$1" .md)" '
		/^```$/ && file { close(file); file = ""; next }
		/^```/ { fresh = 1; next }
		fresh && /^modules/ {
			file = folder "/" name "-" ++count ".conf"
		}
		{ fresh = 0 }
		file { print > file }
	' "$1"
}

cp "$srcdir"/doc/examples/*.conf "$folder"
extract "$srcdir/doc/gateways.md"
extract "$srcdir/doc/tls.md"
extract "$srcdir/doc/ims.md"
extract "$srcdir/README.md"
mkdir "$folder/tls"
tests/unit/make_identity "$folder/tls" b1 bg1 bg1-outside
checked=0
for conf in "$folder"/*.conf; do
	sed -e "1i module_directory = \"$PWD/.libs\"" \
		-e "s#/etc/mcmig/tls#$folder/tls#" "$conf" >"$conf.here"
	if ! src/mcmigd -c "$conf.here" --check; then
		echo "$(basename "$conf") is not valid"
		exit 1
	fi
	checked=$((checked + 1))
done
test "$checked" -ge 11
