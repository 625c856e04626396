/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Screens the bytes of a document. With UTF-8 made certain here, libxml2 is
 * told to ignore declared encodings: none of its decoders can be reached.
 */
#include "config.h"

#include "mcinfo/screen.h"

#include <string.h>
#include <strings.h>

#include "mcinfo/refuse.h"

/* libxml2 2.9 compares each attribute of an element with each before it. */
#define EQUALS_SIGNS_MAX 1024

static bool is_follow_on(const unsigned char *s, size_t n)
{
	while (n--) {
		if ((*s++ & 0xc0) != 0x80)
			return false;
	}
	return true;
}

size_t screen_utf8(const char *text, size_t bytes)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (!n || s[0] > 0xf4 || n > bytes || !is_follow_on(s + 1, n - 1))
		return 0;
	/* Overlong forms, surrogates, beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool screen_is_plain_text(const char *text)
{
	size_t left = strlen(text);

	while (left) {
		const unsigned char *s = (const unsigned char *)text;
		size_t n = screen_utf8(text, left);

		if (!n || s[0] < 0x20 || s[0] == 0x7f ||
		    (s[0] == 0xc2 && s[1] < 0xa0))
			return false;
		text += n;
		left -= n;
	}
	return true;
}

static int screen_bytes(const char *text, size_t bytes,
			struct mcinfo_error *error)
{
	unsigned equals_signs = 0;
	size_t n;

	for (size_t i = 0; i < bytes; i += n) {
		unsigned char c = (unsigned char)text[i];

		n = 1;
		if (c >= 0x80) {
			n = screen_utf8(text + i, bytes - i);
			if (!n)
				return mcinfo_refuse(error, 400,
						     "body is not UTF-8");
		} else if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
			return mcinfo_refuse(error, 400,
					     "control character in the body");
		}
		equals_signs += c == '=';
	}
	if (equals_signs > EQUALS_SIGNS_MAX)
		return mcinfo_refuse(error, 400,
				     "too many attributes in the body");
	return 0;
}

/* Where the value of encoding="..." begins, or NULL: `bytes` of an XML
 * declaration, whose syntax libxml2 will check. */
static const char *find_encoding(const char *text, size_t bytes)
{
	const char *end = text + bytes;
	const char *at = memmem(text, bytes, "encoding", 8);

	if (!at)
		return NULL;
	at += 8;
	while (at < end && strchr(" \t\r\n=", *at))
		at++;
	return at < end && (*at == '"' || *at == '\'') ? at + 1 : at;
}

static int screen_declaration(const char *text, size_t bytes,
			      struct mcinfo_error *error)
{
	const char *end, *encoding;

	if (bytes < 5 || memcmp(text, "<?xml", 5))
		return 0;
	end = memmem(text, bytes, "?>", 2);
	if (!end)
		return 0;
	encoding = find_encoding(text, (size_t)(end - text));
	if (encoding &&
	    (end - encoding < 6 || strncasecmp(encoding, "UTF-8", 5) ||
	     (encoding[5] != '"' && encoding[5] != '\'')))
		return mcinfo_refuse(error, 400,
				     "XML declaration has an encoding other "
				     "than UTF-8");
	return 0;
}

int screen_document(const char *text, size_t bytes, struct mcinfo_error *error)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	int err;

	if (!bytes)
		return mcinfo_refuse(error, 400, "body is empty");
	err = screen_bytes(text, bytes, error);
	if (err)
		return err;
	if (bytes >= 3 && !memcmp(text, byte_order_mark, 3)) {
		text += 3;
		bytes -= 3;
	}
	return screen_declaration(text, bytes, error);
}
