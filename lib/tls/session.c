/* SPDX-License-Identifier: BSD-2-Clause */
/* One TLS connection: handshake, bytes, and who the peer is. */
#include "config.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/context.h"

#define FAULT_BYTES 640
#define CIPHER_BYTES 64
#define SUBJECT_BYTES 128
/*
 * Handshake messages after the handshake (TLS 1.3: tickets, key updates) for
 * each MiB that is read: AES-GCM wants a key update after 2^24 records.
 */
#define LATE_MESSAGES_MAX 16
#define LATE_MESSAGES_BYTES (1024 * 1024)

struct tls_session {
	struct tls_context *context;
	SSL *library;
	struct tls_names names;
	int64_t expires;
	bool established, failed;
	unsigned late_messages;
	size_t late_bytes; /* read since they were last counted from 0 */
	char fault[FAULT_BYTES];
	char cipher[CIPHER_BYTES];
};

/* --- Faults ------------------------------------------------------------- */

static enum tls_result fail(struct tls_session *session, const char *why)
{
	session->failed = true;
	if (!*session->fault)
		snprintf(session->fault, sizeof(session->fault), "%s", why);
	ERR_clear_error();
	return TLS_FAILED;
}

/* The first of the queue is the cause; the others are where it passed by. */
static enum tls_result library_failure(struct tls_session *session)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);
	const char *before = "", *remedy = "";
	char why[FAULT_BYTES];

	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return fail(session, reason ? reason : "a fault of TLS");
	if (ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET)
		before = "the peer says: ";
	if (ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER)
		remedy = ": what comes is no TLS; its next hop needs "
			 "transport=tls";
	snprintf(why, sizeof(why), "%s%s%s", before,
		 reason ? reason : "a fault of TLS", remedy);
	return fail(session, why);
}

static enum tls_result system_failure(struct tls_session *session, int err)
{
	return fail(session, err ? strerror(err) : "the peer closed it");
}

static enum tls_result result_of(struct tls_session *session, int returned)
{
	int err = errno;

	switch (SSL_get_error(session->library, returned)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	case SSL_ERROR_SYSCALL:
		return system_failure(session, err);
	default:
		return library_failure(session);
	}
}

/* --- The peer's certificate --------------------------------------------- */

/* Quotes would end the log's msg="...". */
static void write_name(const X509_NAME *name, char *text, size_t size)
{
	X509_NAME_oneline(name, text, (int)size);
	for (char *quote = text; (quote = strchr(quote, '"'));)
		*quote = '\'';
}

static void note_certificate(struct tls_session *session,
			     const X509 *certificate, const char *why,
			     const char *remedy)
{
	char subject[SUBJECT_BYTES] = "", issuer[SUBJECT_BYTES] = "";

	if (certificate) {
		write_name(X509_get_subject_name(certificate), subject,
			   sizeof(subject));
		write_name(X509_get_issuer_name(certificate), issuer,
			   sizeof(issuer));
	}
	snprintf(session->fault, sizeof(session->fault),
		 "the peer's certificate: %s (subject %s, issuer %s)%s", why,
		 subject, issuer, remedy);
}

static const char *remedy_of(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		return ": if it is to be trusted, have the peer send all CAs "
		       "below the root, and add the root to ca";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return ": if the CA is to be trusted, add its root to ca";
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return ": add the list of that issuer to crl";
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return ": fetch the new list of that issuer into crl";
	case X509_V_ERR_CERT_CHAIN_TOO_LONG:
		return ": chain_max bounds it";
	default:
		return "";
	}
}

static int refuse(X509_STORE_CTX *verification, struct tls_session *session,
		  X509 *certificate, int error, const char *why)
{
	note_certificate(session, certificate, why, "");
	X509_STORE_CTX_set_error(verification, error);
	return 0;
}

/* The chain holds: is it one that we can use? */
static int check_peer(X509_STORE_CTX *verification, struct tls_session *session,
		      X509 *certificate)
{
	const char *why = tls_refuse_purpose(certificate);

	if (why)
		return refuse(verification, session, certificate,
			      X509_V_ERR_INVALID_PURPOSE, why);
	tls_names_clear(&session->names);
	if (tls_names_read(&session->names, certificate))
		return refuse(verification, session, certificate,
			      X509_V_ERR_OUT_OF_MEM, "out of memory");
	if (!session->names.count)
		return refuse(verification, session, certificate,
			      X509_V_ERR_APPLICATION_VERIFICATION,
			      "no subject alternative name that says who it "
			      "is: a dns or uri name, no wildcard");
	return 1;
}

/* Here and not after the handshake: so the peer is told why. */
static int verify(int holds, X509_STORE_CTX *verification)
{
	SSL *library = X509_STORE_CTX_get_ex_data(
	    verification, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *session = SSL_get_app_data(library);
	X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
	int error = X509_STORE_CTX_get_error(verification);

	if (!holds)
		note_certificate(session, certificate,
				 X509_verify_cert_error_string(error),
				 remedy_of(error));
	else if (!X509_STORE_CTX_get_error_depth(verification))
		holds = check_peer(verification, session, certificate);
	return holds;
}

/* --- Handshakes that come late ------------------------------------------ */

/*
 * TLS 1.2 has no such but renegotiation, which OpenSSL only declines, as often
 * as it is asked. TLS 1.3 tells its record types inside.
 */
static void watch_records(int is_sent, int version, int kind, const void *bytes,
			  size_t count, SSL *library, void *arg)
{
	struct tls_session *session = arg;
	int wanted = SSL_version(library) == TLS1_3_VERSION
			 ? SSL3_RT_INNER_CONTENT_TYPE
			 : SSL3_RT_HEADER;

	(void)version;
	if (session->established && !is_sent && kind == wanted && count &&
	    *(const unsigned char *)bytes == SSL3_RT_HANDSHAKE)
		session->late_messages++;
}

static bool is_too_late(const struct tls_session *session)
{
	if (SSL_version(session->library) == TLS1_3_VERSION)
		return session->late_messages > LATE_MESSAGES_MAX;
	return session->late_messages;
}

static void count_bytes(struct tls_session *session, size_t bytes)
{
	session->late_bytes += bytes;
	if (session->late_bytes < LATE_MESSAGES_BYTES)
		return;
	session->late_bytes = 0;
	session->late_messages = 0;
}

/* --- Life --------------------------------------------------------------- */

static int prepare(struct tls_session *session, enum tls_role role, int fd)
{
	SSL *library = session->library;

	if (!SSL_set_fd(library, fd) || !SSL_set_app_data(library, session))
		return ENOMEM;
	SSL_set_verify(
	    library, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
	X509_VERIFY_PARAM_set_time(SSL_get0_param(library), tls_now());
	SSL_set_msg_callback(library, watch_records);
	SSL_set_msg_callback_arg(library, session);
	if (role == TLS_ACCEPTS)
		SSL_set_accept_state(library);
	else
		SSL_set_connect_state(library);
	return 0;
}

int tls_session_create(struct tls_session **sessionp,
		       struct tls_context *context, enum tls_role role, int fd)
{
	struct tls_session *session = calloc(1, sizeof(*session));
	int err = ENOMEM;

	if (!session)
		return ENOMEM;
	session->context = tls_context_hold(context);
	session->library = SSL_new(context->library);
	if (session->library)
		err = prepare(session, role, fd);
	ERR_clear_error();
	if (err)
		tls_session_destroy(session);
	else
		*sessionp = session;
	return err;
}

void tls_session_destroy(struct tls_session *session)
{
	if (!session)
		return;
	SSL_free(session->library);
	tls_context_release(session->context);
	tls_names_clear(&session->names);
	free(session);
}

static enum tls_result establish(struct tls_session *session)
{
	SSL *library = session->library;

	/* What no configuration may change by accident. */
	if (!session->names.count ||
	    SSL_get_verify_result(library) != X509_V_OK)
		return fail(session, "the peer has shown no certificate");
	session->established = true;
	session->expires = tls_chain_expires(SSL_get0_verified_chain(library));
	snprintf(session->cipher, sizeof(session->cipher), "%s %s",
		 SSL_get_version(library), SSL_get_cipher_name(library));
	return TLS_DONE;
}

enum tls_result tls_session_handshake(struct tls_session *session)
{
	enum tls_result result;
	int returned;

	if (session->failed)
		return TLS_FAILED;
	if (session->established)
		return TLS_DONE;
	ERR_clear_error();
	errno = 0;
	returned = SSL_do_handshake(session->library);
	if (returned == 1)
		return establish(session);
	result = result_of(session, returned);
	return result == TLS_ENDED ? fail(session, "the peer closed it")
				   : result;
}

/* --- Bytes -------------------------------------------------------------- */

enum tls_result tls_session_read(struct tls_session *session, void *data,
				 size_t size, size_t *bytes)
{
	int returned;

	*bytes = 0;
	if (session->failed || !session->established)
		return fail(session, "no handshake");
	ERR_clear_error();
	errno = 0;
	returned = SSL_read_ex(session->library, data, size, bytes);
	if (is_too_late(session))
		return fail(session, "handshakes without end");
	if (!returned)
		return result_of(session, returned);
	count_bytes(session, *bytes);
	return TLS_DONE;
}

enum tls_result tls_session_write(struct tls_session *session, const void *data,
				  size_t size, size_t *bytes)
{
	int returned;

	*bytes = 0;
	if (session->failed || !session->established)
		return fail(session, "no handshake");
	if (!size)
		return TLS_DONE;
	ERR_clear_error();
	errno = 0;
	returned = SSL_write_ex(session->library, data, size, bytes);
	return returned ? TLS_DONE : result_of(session, returned);
}

bool tls_session_has_pending(const struct tls_session *session)
{
	return !session->failed && SSL_pending(session->library) > 0;
}

/* After a fault OpenSSL must not be asked for it. */
void tls_session_close(struct tls_session *session)
{
	if (!session->established || session->failed)
		return;
	ERR_clear_error();
	SSL_shutdown(session->library);
	ERR_clear_error();
}

const char *tls_session_fault(const struct tls_session *session)
{
	return session->fault;
}

/* --- The peer ----------------------------------------------------------- */

const char *const *tls_session_names(const struct tls_session *session,
				     size_t *count)
{
	*count = session->names.count;
	return (const char *const *)session->names.values;
}

int64_t tls_session_expires(const struct tls_session *session)
{
	return session->expires;
}

const char *tls_session_cipher(const struct tls_session *session)
{
	return session->cipher;
}

static bool chain_holds(X509_STORE_CTX *verification, SSL_CTX *library,
			SSL *peer)
{
	X509_VERIFY_PARAM *rules;

	if (!X509_STORE_CTX_init(verification, SSL_CTX_get_cert_store(library),
				 SSL_get0_peer_certificate(peer),
				 SSL_get_peer_cert_chain(peer)))
		return false;
	rules = X509_STORE_CTX_get0_param(verification);
	if (!X509_VERIFY_PARAM_set1(rules, SSL_CTX_get0_param(library)))
		return false;
	X509_VERIFY_PARAM_set_time(rules, tls_now());
	return X509_verify_cert(verification) == 1;
}

/* Names and purpose are its own, and stay. */
bool tls_session_is_valid(const struct tls_session *session,
			  struct tls_context *context)
{
	X509_STORE_CTX *verification = X509_STORE_CTX_new();
	bool valid =
	    verification && session->established &&
	    chain_holds(verification, context->library, session->library);

	X509_STORE_CTX_free(verification);
	ERR_clear_error();
	return valid;
}
