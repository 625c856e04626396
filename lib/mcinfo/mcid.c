/* SPDX-License-Identifier: BSD-2-Clause */
/* The canonical form of MC service IDs. */
#include "mcinfo/mcid.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253 /* RFC 1035 2.3.4, without the length bytes */
#define LABEL_MAX 63

static bool is_alphanumeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* RFC 3261 25.1: unreserved. */
static bool is_unreserved(unsigned char c)
{
	return is_alphanumeric(c) || (c && strchr("-_.!~*'()", c));
}

/* RFC 3261 25.1: user-unreserved. */
static bool is_user_unreserved(unsigned char c)
{
	return c && strchr("&=+$,;?/", c);
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * RFC 3261 19.1.4: outside the reserved set, a character and its escape are
 * the same. Escapes that remain are of reserved characters and of those that
 * cannot stand unescaped.
 */
static int put_escape(const char **text, char **out)
{
	static const char hex[] = "0123456789ABCDEF";
	int high = hex_value((unsigned char)(*text)[1]);
	int low = high < 0 ? -1 : hex_value((unsigned char)(*text)[2]);
	unsigned char c;

	if (low < 0)
		return EINVAL;
	c = (unsigned char)(high << 4 | low);
	if (c < 0x20 || c == 0x7f)
		return EINVAL;
	if (is_unreserved(c)) {
		*(*out)++ = (char)c;
	} else {
		*(*out)++ = '%';
		*(*out)++ = hex[high];
		*(*out)++ = hex[low];
	}
	*text += 3;
	return 0;
}

/* Up to the '@'; a ':' would begin a password, and is no user character. */
static int put_user(const char **text, char **out)
{
	const char *begin = *text;

	while (**text != '@') {
		unsigned char c = (unsigned char)**text;

		if (c == '%') {
			if (put_escape(text, out))
				return EINVAL;
		} else if (is_unreserved(c) || is_user_unreserved(c)) {
			*(*out)++ = (char)c;
			(*text)++;
		} else {
			return EINVAL;
		}
	}
	return *text == begin ? EINVAL : 0;
}

static bool label_is_valid(const char *label, size_t length)
{
	if (!length || length > LABEL_MAX || label[0] == '-' ||
	    label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!is_alphanumeric((unsigned char)label[i]) &&
		    label[i] != '-')
			return false;
	}
	return true;
}

/* RFC 3261 25.1 hostname, without the root's dot: it would be a second form. */
static bool hostname_is_valid(const char *host)
{
	for (;;) {
		size_t length = strcspn(host, ".");

		if (!label_is_valid(host, length))
			return false;
		if (!host[length])
			return host[0] < '0' || host[0] > '9';
		host += length + 1;
	}
}

/* `host` is lower case; at least as long as its canonical form. */
static int put_host(const char *host, char **out)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in6;
	struct in_addr in;
	size_t length = strlen(host);

	if (host[0] == '[') {
		if (length < 4 || length - 2 >= sizeof(address) ||
		    host[length - 1] != ']')
			return EINVAL;
		memcpy(address, host + 1, length - 2);
		address[length - 2] = '\0';
		if (inet_pton(AF_INET6, address, &in6) != 1)
			return EINVAL;
		inet_ntop(AF_INET6, &in6, address, sizeof(address));
		*out += sprintf(*out, "[%s]", address);
		return 0;
	}
	if (inet_pton(AF_INET, host, &in) != 1 && !hostname_is_valid(host))
		return EINVAL;
	*out = stpcpy(*out, host);
	return 0;
}

/* A port given and a port left out differ, even 5060 (RFC 3261 19.1.4). */
static int put_port(const char *port, char **out)
{
	size_t length = strlen(port);

	if (!length || length > 5 || strspn(port, "0123456789") != length)
		return EINVAL;
	length = strtoul(port, NULL, 10);
	if (!length || length > 65535)
		return EINVAL;
	*out += sprintf(*out, ":%zu", length);
	return 0;
}

static int put_hostport(const char *text, char **out)
{
	char host[HOST_MAX + 1];
	size_t length =
	    text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
	const char *port = NULL;
	int err;

	if (length > strlen(text) || length > HOST_MAX)
		return EINVAL;
	if (text[length] == ':')
		port = text + length + 1;
	else if (text[length])
		return EINVAL;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		host[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	host[length] = '\0';

	err = put_host(host, out);
	if (!err && port)
		err = put_port(port, out);
	return err;
}

int mcid_canonical(const char *text, char canonical[MCID_SIZE])
{
	/* An address in IPv6 may be written longer than it was given. */
	char form[MCID_SIZE + INET6_ADDRSTRLEN];
	char *out = form;
	int err;

	if (strnlen(text, MCID_SIZE) == MCID_SIZE)
		return EMSGSIZE;
	if (strncasecmp(text, "sip:", 4))
		return EINVAL;
	text += 4;
	out = stpcpy(out, "sip:");

	err = put_user(&text, &out);
	if (err)
		return err;
	text++;
	*out++ = '@';

	err = put_hostport(text, &out);
	if (err)
		return err;
	if (out - form >= MCID_SIZE)
		return EMSGSIZE;
	memcpy(canonical, form, (size_t)(out - form) + 1);
	return 0;
}

int public_identity_canonical(const char *text, char canonical[MCID_SIZE])
{
	static const char phone[] = ";user=phone";
	const char *at = strchr(text, '@');
	size_t bytes = at ? (size_t)(at - text) + strcspn(at, ";") : 0;
	char bare[MCID_SIZE];
	int err;

	if (!at || !text[bytes])
		return mcid_canonical(text, canonical);
	if (strcasecmp(text + bytes, phone))
		return EINVAL;
	if (bytes >= sizeof(bare))
		return EMSGSIZE;
	memcpy(bare, text, bytes);
	bare[bytes] = '\0';
	err = mcid_canonical(bare, canonical);
	if (err)
		return err;
	bytes = strlen(canonical);
	if (bytes + sizeof(phone) > MCID_SIZE)
		return EMSGSIZE;
	memcpy(canonical + bytes, phone, sizeof(phone));
	return 0;
}

const char *mcid_domain(const char *canonical)
{
	const char *at = strchr(canonical, '@');

	return at ? at + 1 : canonical + strlen(canonical);
}
