/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A first look at the file's text, for what libconfuse gets wrong or tells
 * badly: it takes a section that is never closed, stays inside an unclosed
 * string for the next file too, counts lines wrongly after a comment, and puts
 * in environment variables, of which a daemon has none.
 */
#include "conf/conf_private.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct scan {
	struct conf_fault *fault;
	struct conf_begins *nested;
	char *at;
	unsigned line;
	unsigned depth;		    /* of braces */
	unsigned brace_line;	    /* of the outermost open one */
	struct conf_begin words[2]; /* the last one, the one before it */
	char *word;		    /* start of the last word outside braces */
	char last;		    /* last character that is not space */
	bool in_section;	    /* the outermost brace is a section's */
};

static int fail(struct scan *scan, unsigned line, const char *text)
{
	scan->fault->line = line;
	snprintf(scan->fault->text, sizeof(scan->fault->text), "%s", text);
	return EINVAL;
}

/* Lines stay lines, so that libconfuse counts them right. */
static void blank(char *from, const char *to)
{
	for (; from < to; from++) {
		if (*from != '\n')
			*from = ' ';
	}
}

static unsigned newlines(const char *from, const char *to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += *from == '\n';
	return n;
}

static int scan_string(struct scan *scan)
{
	char quote = *scan->at;
	char *p = scan->at + 1;

	for (; *p && *p != quote; p++) {
		if (quote == '"' && p[0] == '$' && p[1] == '{')
			return fail(scan, scan->line + newlines(scan->at, p),
				    "'${' would stand for an environment "
				    "variable, and there are none: write "
				    "'\\${', or use single quotes");
		if (*p == '\\' && p[1])
			p++;
	}
	if (!*p)
		return fail(scan, scan->line,
			    "the quote that opens here is never closed");
	scan->line += newlines(scan->at, p);
	scan->at = p + 1;
	return 0;
}

static void scan_line_comment(struct scan *scan)
{
	char *end = scan->at + strcspn(scan->at, "\n");

	blank(scan->at, end);
	scan->at = end;
}

static int scan_comment(struct scan *scan)
{
	char *end = strstr(scan->at + 2, "*/");

	if (!end)
		return fail(scan, scan->line,
			    "the comment that opens here is never closed");
	end += 2;
	scan->line += newlines(scan->at, end);
	blank(scan->at, end);
	scan->at = end;
	return 0;
}

/* server "b1" {, or server b1 {: a title in quotes is no word. */
static void note_nested(struct scan *scan)
{
	bool quoted = scan->last == '"' || scan->last == '\'';
	struct conf_begins *nested = scan->nested;

	if (nested->count < nested->max)
		nested->items[nested->count++] = scan->words[quoted ? 0 : 1];
}

static void open_brace(struct scan *scan)
{
	if (scan->depth == 1 && scan->in_section && scan->last != '=')
		note_nested(scan);
	if (!scan->depth++) {
		scan->brace_line = scan->line;
		scan->in_section = scan->last != '=';
	}
	scan->at++;
}

static int close_brace(struct scan *scan, bool drop_sections)
{
	if (!scan->depth)
		return fail(scan, scan->line,
			    "this '}' closes nothing: remove it");
	scan->at++;
	if (!--scan->depth && scan->in_section && drop_sections && scan->word)
		blank(scan->word, scan->at);
	return 0;
}

static bool is_space(char c)
{
	return isspace((unsigned char)c);
}

static int scan_word(struct scan *scan)
{
	size_t n = strcspn(scan->at, " \t\r\n\"'{}()=+,#");

	if (!scan->depth && n)
		scan->word = scan->at;
	if (n) {
		scan->words[1] = scan->words[0];
		scan->words[0] = (struct conf_begin){
			.name = scan->at,
			.name_length = n,
			.line = scan->line,
		};
	}
	scan->at += n ? n : 1;
	return 0;
}

static int scan_token(struct scan *scan, bool drop_sections)
{
	switch (*scan->at) {
	case '"':
	case '\'':
		return scan_string(scan);
	case '{':
		open_brace(scan);
		return 0;
	case '}':
		return close_brace(scan, drop_sections);
	default:
		return scan_word(scan);
	}
}

static bool is_line_comment(const char *text)
{
	return *text == '#' || (text[0] == '/' && text[1] == '/');
}

int conf_scan(char *text, bool drop_sections, struct conf_begins *nested,
	      struct conf_fault *fault)
{
	struct scan scan = {
		.fault = fault, .nested = nested, .at = text, .line = 1
	};
	int err = 0;

	while (!err && *scan.at) {
		char c = *scan.at;

		if (is_line_comment(scan.at)) {
			scan_line_comment(&scan);
		} else if (!strncmp(scan.at, "/*", 2)) {
			err = scan_comment(&scan);
		} else if (is_space(c)) {
			scan.line += c == '\n';
			scan.at++;
		} else {
			err = scan_token(&scan, drop_sections);
			scan.last = c;
		}
	}
	if (!err && scan.depth)
		err = fail(&scan, scan.brace_line,
			   "the '{' that opens here is never closed");
	return err;
}
