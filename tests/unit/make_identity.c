/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * make_identity FOLDER STEM...: STEM.pem and STEM-key.pem, signed by the CA of
 * ca.pem and inside-ca.pem, whose list is crl.pem; for configurations that name
 * such files.
 */
#include <stdio.h>

#include "tls_maker.h"

#define DAY_S (24 * 3600)
#define PATH_BYTES 1024

struct path {
	char text[PATH_BYTES];
};

static struct path path_of(const char *folder, const char *stem,
			   const char *suffix)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s/%s%s", folder, stem, suffix);
	return path;
}

static void make(const char *folder, const char *stem, const struct cert *ca)
{
	struct cert *cert =
	    cert_create(ca, &(struct cert_wish){ .names = "DNS:mc.b.example" });

	cert_write(path_of(folder, stem, ".pem").text, cert, NULL);
	cert_write_key(path_of(folder, stem, "-key.pem").text, cert);
	cert_destroy(cert);
}

int main(int argc, char **argv)
{
	struct cert *ca;

	if (argc < 3) {
		fputs("usage: make_identity FOLDER STEM...\n", stderr);
		return 2;
	}
	ca = cert_create(NULL, &(struct cert_wish){ .is_ca = true });
	cert_write(path_of(argv[1], "ca", ".pem").text, ca, NULL);
	cert_write(path_of(argv[1], "inside-ca", ".pem").text, ca, NULL);
	cert_append_crl(path_of(argv[1], "crl", ".pem").text, ca, NULL, DAY_S);
	for (int i = 2; i < argc; i++)
		make(argv[1], argv[i], ca);
	cert_destroy(ca);
	return 0;
}
