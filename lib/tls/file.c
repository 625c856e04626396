/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading PEM files: regular, bounded, and keys that nobody else can read. */
#include "config.h"

#include "tls/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tls/certificate.h"

#define FILE_BYTES_MAX (16 * 1024 * 1024) /* revocation lists grow */

struct content {
	char *bytes;
	size_t count;
	mode_t mode;
	BIO *bio; /* over the bytes */
};

int tls_file_refuse(const struct tls_file *file, const char *why)
{
	log_error("tls", "msg=\"%s.%s: %s\" file=\"%s\"", file->section,
		  file->setting, why, file->path);
	return EINVAL;
}

/* --- The file ----------------------------------------------------------- */

static int fill(int fd, struct content *content, size_t size)
{
	while (content->count < size) {
		ssize_t bytes = read(fd, content->bytes + content->count,
				     size - content->count);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return errno;
		if (!bytes)
			break;
		content->count += (size_t)bytes;
	}
	return 0;
}

static int read_open(const struct tls_file *file, int fd,
		     struct content *content)
{
	struct stat status;

	if (fstat(fd, &status))
		return errno;
	if (!S_ISREG(status.st_mode))
		return tls_file_refuse(file, "it is no regular file");
	if (status.st_size > FILE_BYTES_MAX)
		return tls_file_refuse(file, "it is larger than 16 MiB");
	content->mode = status.st_mode;
	content->bytes = malloc((size_t)status.st_size + 1);
	if (!content->bytes)
		return ENOMEM;
	return fill(fd, content, (size_t)status.st_size);
}

static void content_clear(struct content *content)
{
	BIO_free(content->bio);
	if (content->bytes)
		OPENSSL_cleanse(content->bytes, content->count);
	free(content->bytes);
}

static int read_content(const struct tls_file *file, struct content *content)
{
	/* A pipe without a writer would block the daemon. */
	int fd = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno;
	err = read_open(file, fd, content);
	close(fd);
	if (err)
		return err;
	content->bio = BIO_new_mem_buf(content->bytes, (int)content->count);
	return content->bio ? 0 : ENOMEM;
}

static int file_read(const struct tls_file *file, struct content *content)
{
	int err;

	ERR_clear_error();
	if (!*file->path)
		return tls_file_refuse(file, "it is missing: name a PEM file");
	err = read_content(file, content);
	if (err && err != EINVAL && err != ENOMEM)
		log_error("tls",
			  "msg=\"%s.%s: cannot read it: %s\" file=\"%s\"",
			  file->section, file->setting, strerror(err),
			  file->path);
	return err;
}

/* --- What is in it ------------------------------------------------------ */

/* After the last object that was read: 0 if nothing but the end stopped it. */
static int check_end(const struct tls_file *file, int count, const char *none,
		     const char *broken)
{
	unsigned long error = ERR_peek_last_error();
	int err = tls_library_error();

	if (err == ENOMEM || !error)
		return ENOMEM;
	if (ERR_GET_LIB(error) != ERR_LIB_PEM ||
	    ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
		return tls_file_refuse(file, broken);
	return count ? 0 : tls_file_refuse(file, none);
}

static int read_certificates(BIO *bio, STACK_OF(X509) * certificates)
{
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (!sk_X509_push(certificates, certificate)) {
			X509_free(certificate);
			return ENOMEM;
		}
	}
	return 0;
}

int tls_file_certificates(const struct tls_file *file,
			  STACK_OF(X509) * *certificatesp)
{
	struct content content = { 0 };
	STACK_OF(X509) *certificates = sk_X509_new_null();
	int err = certificates ? file_read(file, &content) : ENOMEM;

	if (!err)
		err = read_certificates(content.bio, certificates);
	if (!err)
		err = check_end(file, sk_X509_num(certificates),
				"there is no certificate (PEM) in it",
				"a certificate in it is broken");
	content_clear(&content);
	if (err)
		sk_X509_pop_free(certificates, X509_free);
	else
		*certificatesp = certificates;
	return err;
}

static int read_crls(BIO *bio, STACK_OF(X509_CRL) * crls)
{
	X509_CRL *crl;

	while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL))) {
		if (!sk_X509_CRL_push(crls, crl)) {
			X509_CRL_free(crl);
			return ENOMEM;
		}
	}
	return 0;
}

int tls_file_crls(const struct tls_file *file, STACK_OF(X509_CRL) * *crlsp)
{
	struct content content = { 0 };
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	int err = crls ? file_read(file, &content) : ENOMEM;

	if (!err)
		err = read_crls(content.bio, crls);
	if (!err)
		err = check_end(file, sk_X509_CRL_num(crls),
				"there is no revocation list (PEM) in it",
				"a revocation list in it is broken");
	content_clear(&content);
	if (err)
		sk_X509_CRL_pop_free(crls, X509_CRL_free);
	else
		*crlsp = crls;
	return err;
}

/* --- Keys --------------------------------------------------------------- */

static int check_mode(const struct tls_file *file, mode_t mode)
{
	if (mode & S_IRWXO)
		return tls_file_refuse(file, "everybody may read it: whoever "
					     "has it is us; chmod o-rwx");
	if (mode & (S_IRGRP | S_IWGRP))
		log_warning("tls",
			    "msg=\"%s.%s: its group may read it\" file=\"%s\"",
			    file->section, file->setting, file->path);
	return 0;
}

/* Without this OpenSSL would ask on the terminal. */
static int refuse_passphrase(char *buffer, int size, int writing, void *asked)
{
	(void)buffer;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static int read_key(const struct tls_file *file, BIO *bio, EVP_PKEY **keyp)
{
	bool asked = false;
	EVP_PKEY *key =
	    PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);

	if (asked && !key) {
		ERR_clear_error();
		return tls_file_refuse(file, "it needs a passphrase: openssl "
					     "pkey takes it away");
	}
	if (!key)
		return tls_library_error() == ENOMEM
			   ? ENOMEM
			   : tls_file_refuse(file, "there is no private key "
						   "(PEM) in it, or a broken "
						   "one");
	*keyp = key;
	return 0;
}

int tls_file_key(const struct tls_file *file, EVP_PKEY **keyp)
{
	struct content content = { 0 };
	int err = file_read(file, &content);

	if (!err)
		err = check_mode(file, content.mode);
	if (!err)
		err = read_key(file, content.bio, keyp);
	content_clear(&content);
	return err;
}
