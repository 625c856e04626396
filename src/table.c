/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON as people read it: lines of an object, columns of an array. */
#include "table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2

/* --- Values ------------------------------------------------------------- */

/* What a server of another system had a say in must not steer a terminal. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)text[0];
		unsigned char next = (unsigned char)text[1];

		/* U+0080 to U+009F are control characters, too. */
		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			text[0] = text[1] = '?';
		else if (iscntrl(c))
			text[0] = '?';
	}
}

/* "2026-01-31T23:59:59.123456Z" */
static bool is_time(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.";
	size_t i = 0;

	for (; form[i]; i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i])
				   : text[i] != form[i])
			return false;
	}
	i += strspn(text + i, "0123456789");
	return !strcmp(text + i, "Z");
}

static char *string_text(const char *string)
{
	char *text = strdup(string);

	if (!text)
		return NULL;
	if (is_time(text)) {
		text[10] = ' ';
		strcpy(text + 19, "Z");
	}
	make_printable(text);
	return text;
}

static char *array_text(const json_t *array);

/* free() it. */
static char *value_text(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return string_text(json_string_value(value));
	case JSON_TRUE:
		return strdup("yes");
	case JSON_FALSE:
		return strdup("no");
	case JSON_NULL:
		return strdup("-");
	case JSON_ARRAY:
		return array_text(value);
	default:
		return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	}
}

static char *array_text(const json_t *array)
{
	char *text = NULL;
	size_t bytes, i;
	FILE *out = open_memstream(&text, &bytes);
	const json_t *item;

	if (!out)
		return NULL;
	json_array_foreach(array, i, item)
	{
		char *one = value_text(item);

		fprintf(out, "%s%s", i ? ", " : "", one ? one : "");
		free(one);
	}
	fclose(out);
	return text;
}

/* Columns on a terminal: bytes that begin a character of UTF-8. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void put_padded(const char *text, size_t width, bool right, FILE *out)
{
	size_t used = width_of(text);
	int pad = used < width ? (int)(width - used) : 0;

	if (right)
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, pad, "");
}

/* --- An object ---------------------------------------------------------- */

static void join_keys(const char *prefix, const char *key, char *joined,
		      size_t size)
{
	snprintf(joined, size, "%s%s%s", prefix, *prefix ? "." : "", key);
}

static size_t widest_key(const json_t *object, const char *prefix)
{
	size_t widest = 0;
	const char *key;
	json_t *value;
	char joined[256];

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		size_t width;

		join_keys(prefix, key, joined, sizeof(joined));
		width = json_is_object(value) ? widest_key(value, joined)
					      : width_of(joined);
		if (width > widest)
			widest = width;
	}
	return widest;
}

static void print_object(const json_t *object, const char *prefix, size_t width,
			 FILE *out)
{
	const char *key;
	json_t *value;
	char joined[256];

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		char *text;

		join_keys(prefix, key, joined, sizeof(joined));
		if (json_is_object(value)) {
			print_object(value, joined, width, out);
			continue;
		}
		text = value_text(value);
		put_padded(joined, width + GAP, false, out);
		fprintf(out, "%s\n", text && *text ? text : "-");
		free(text);
	}
}

/* --- An array of objects ------------------------------------------------ */

struct column {
	const char *key;
	size_t width;
	bool right; /* numbers only */
};

static void widen(struct column *column, const json_t *value)
{
	char *text = value ? value_text(value) : NULL;
	size_t width = text ? width_of(text) : 1;

	if (width > column->width)
		column->width = width;
	if (value && !json_is_number(value) && !json_is_null(value))
		column->right = false;
	free(text);
}

static struct column *measure(const json_t *rows, size_t *countp)
{
	const json_t *first = json_array_get(rows, 0), *row;
	struct column *columns =
	    calloc(json_object_size(first) + 1, sizeof(*columns));
	size_t n = 0, i;
	const char *key;
	json_t *value;

	if (!columns)
		return NULL;
	json_object_foreach((json_t *)(uintptr_t)first, key, value)
	{
		columns[n] = (struct column){ key, width_of(key), true };
		json_array_foreach(rows, i, row)
		    widen(&columns[n], json_object_get(row, key));
		n++;
	}
	*countp = n;
	return columns;
}

static void put_cell(const char *text, const struct column *column, bool last,
		     FILE *out)
{
	put_padded(text, last && !column->right ? 0 : column->width,
		   column->right, out);
	fprintf(out, "%*s", last ? 0 : GAP, "");
}

static void print_header(const struct column *columns, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		put_cell(columns[i].key, &columns[i], i + 1 == count, out);
	fputc('\n', out);
}

static void print_row(const json_t *row, const struct column *columns,
		      size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(row, columns[i].key);
		char *text = value ? value_text(value) : NULL;

		put_cell(text && *text ? text : "-", &columns[i],
			 i + 1 == count, out);
		free(text);
	}
	fputc('\n', out);
}

static size_t total_width(const struct column *columns, size_t count)
{
	size_t width = 0;

	for (size_t i = 0; i < count; i++)
		width += columns[i].width + (i ? GAP : 0);
	return width;
}

static void print_each(const json_t *rows, FILE *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (i)
			fputc('\n', out);
		print_object(row, "", widest_key(row, ""), out);
	}
}

static void print_rows(const json_t *rows, size_t width, FILE *out)
{
	size_t count = 0, i;
	struct column *columns = measure(rows, &count);
	const json_t *row;

	if (!columns)
		return;
	if (width && total_width(columns, count) > width) {
		print_each(rows, out);
	} else {
		print_header(columns, count, out);
		json_array_foreach(rows, i, row)
		    print_row(row, columns, count, out);
	}
	free(columns);
}

void table_print(const json_t *value, size_t width, FILE *out)
{
	char *text;

	if (json_is_object(value)) {
		print_object(value, "", widest_key(value, ""), out);
	} else if (json_is_object(json_array_get(value, 0))) {
		print_rows(value, width, out);
	} else if (json_is_array(value) && !json_array_size(value)) {
		fputs("none\n", out);
	} else {
		text = value_text(value);
		fprintf(out, "%s\n", text ? text : "");
		free(text);
	}
}
