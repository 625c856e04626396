/* SPDX-License-Identifier: BSD-2-Clause */
/* Parses the value of a Content-Type header field. */
#include "mcinfo/media_type.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct cursor {
	const char *at;
	const char *end;
};

static void skip_blanks(struct cursor *in)
{
	while (in->at < in->end && *in->at && strchr(" \t\r\n", *in->at))
		in->at++;
}

static bool take_char(struct cursor *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_token(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr("-.!%*_+`'~#$&^{|}", c));
}

static int take_token(struct cursor *in, char *out, size_t size)
{
	size_t n = 0;

	while (in->at < in->end && is_token(*in->at)) {
		if (n + 1 == size)
			return EINVAL;
		out[n++] = *in->at++;
	}
	out[n] = '\0';
	return n ? 0 : EINVAL;
}

static int take_quoted(struct cursor *in, char *out, size_t size)
{
	size_t n = 0;

	while (!take_char(in, '"')) {
		take_char(in, '\\');
		if (in->at == in->end || (unsigned char)*in->at < 0x20 ||
		    n + 1 == size)
			return EINVAL;
		out[n++] = *in->at++;
	}
	out[n] = '\0';
	return n ? 0 : EINVAL;
}

static int keep_once(char *field, size_t size, const char *value)
{
	if (field[0] || strlen(value) >= size)
		return EINVAL;
	strcpy(field, value);
	return 0;
}

static void lower_all(char *text)
{
	for (; *text; text++)
		*text = lower(*text);
}

static int take_parameter(struct cursor *in, struct media_type *type)
{
	char name[64], value[256];
	int err;

	skip_blanks(in);
	err = take_token(in, name, sizeof(name));
	if (err)
		return err;
	skip_blanks(in);
	if (!take_char(in, '='))
		return EINVAL;
	skip_blanks(in);
	err = take_char(in, '"') ? take_quoted(in, value, sizeof(value))
				 : take_token(in, value, sizeof(value));
	if (err)
		return err;

	lower_all(name);
	if (!strcmp(name, "boundary"))
		return keep_once(type->boundary, sizeof(type->boundary), value);
	if (!strcmp(name, "charset")) {
		lower_all(value);
		return keep_once(type->charset, sizeof(type->charset), value);
	}
	return 0;
}

static int take_name(struct cursor *in, char *name)
{
	size_t length;
	int err;

	err = take_token(in, name, MEDIA_TYPE_SIZE - 2);
	if (err)
		return err;
	skip_blanks(in);
	if (!take_char(in, '/'))
		return EINVAL;
	skip_blanks(in);
	length = strlen(name);
	name[length++] = '/';
	err = take_token(in, name + length, MEDIA_TYPE_SIZE - length);
	lower_all(name);
	return err;
}

int media_type_parse(const char *text, size_t bytes, struct media_type *type)
{
	struct cursor in = { text, text + bytes };
	int err;

	memset(type, 0, sizeof(*type));
	skip_blanks(&in);
	err = take_name(&in, type->name);
	while (!err) {
		skip_blanks(&in);
		if (in.at == in.end)
			break;
		err = take_char(&in, ';') ? take_parameter(&in, type) : EINVAL;
	}
	return err;
}
