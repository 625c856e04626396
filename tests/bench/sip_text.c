/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and answering SIP as text, line by line. */
#include "bench/sip_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *next_line(const char *line)
{
	const char *end = strstr(line, "\r\n");

	return end ? end + 2 : NULL;
}

static bool is_header(const char *line, const char *name)
{
	size_t length = strlen(name);

	return !strncasecmp(line, name, length) &&
	       (line[length] == ':' || line[length] == ' ');
}

static const char *find_header(const char *headers, const char *name)
{
	for (const char *line = headers; line && *line && *line != '\r';
	     line = next_line(line))
		if (is_header(line, name))
			return line;
	return NULL;
}

int sip_message_bytes(const char *text, size_t available, size_t *bytesp)
{
	const char *length, *blank;
	size_t bytes;

	if (available >= 2 && !memcmp(text, "\r\n", 2)) {
		*bytesp = 2;
		return 0;
	}
	blank = strstr(text, "\r\n\r\n");
	if (!blank)
		return EAGAIN;
	length = find_header(text, "Content-Length");
	if (!length)
		length = find_header(text, "l");
	if (!length)
		return EBADMSG;
	bytes = (size_t)(blank + 4 - text) +
		strtoul(strchr(length, ':') + 1, NULL, 10);
	if (bytes > available)
		return EAGAIN;
	*bytesp = bytes;
	return 0;
}

static int view_start_line(const char *text, struct sip_view *view)
{
	view->status = 0;
	view->is_message = false;
	if (!strncmp(text, "SIP/2.0 ", 8)) {
		view->status = atoi(text + 8);
		return view->status >= 100 ? 0 : EBADMSG;
	}
	view->is_message = !strncmp(text, "MESSAGE ", 8);
	return 0;
}

static int view_branch(const char *headers, struct sip_view *view)
{
	const char *via = find_header(headers, "Via");
	const char *end, *branch;
	size_t length;

	if (!via)
		via = find_header(headers, "v");
	if (!via)
		return EBADMSG;
	end = strstr(via, "\r\n");
	branch = strstr(via, "branch=");
	if (!branch || branch > end)
		return EBADMSG;
	branch += strlen("branch=");
	length = strcspn(branch, ";, \r\n");
	if (length >= sizeof(view->branch))
		return EBADMSG;
	memcpy(view->branch, branch, length);
	view->branch[length] = '\0';
	return 0;
}

int sip_view(const char *text, size_t bytes, struct sip_view *view)
{
	const char *blank = strstr(text, "\r\n\r\n");
	int err;

	if (!blank)
		return EBADMSG;
	err = view_start_line(text, view);
	if (err)
		return err;
	view->headers = next_line(text);
	view->body = blank + 4;
	view->body_bytes = bytes - (size_t)(view->body - text);
	return view_branch(view->headers, view);
}

static bool is_echoed(const char *line)
{
	static const char *const names[] = { "Via",	"v",  "From",
					     "f",	"To", "t",
					     "Call-ID", "i",  "CSeq" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (is_header(line, names[i]))
			return true;
	return false;
}

static bool wants_tag(const char *line, size_t length)
{
	return (is_header(line, "To") || is_header(line, "t")) &&
	       !memmem(line, length, ";tag=", 5);
}

size_t sip_answer(char *out, size_t size, const struct sip_view *request,
		  const char *status_line, const char *tag)
{
	static const char last[] = "Content-Length: 0\r\n\r\n";
	int written = snprintf(out, size, "SIP/2.0 %s\r\n", status_line);
	size_t used = (size_t)written;

	for (const char *line = request->headers; *line != '\r';
	     line = next_line(line)) {
		size_t length = (size_t)(strstr(line, "\r\n") - line);

		if (!is_echoed(line))
			continue;
		written = snprintf(out + used, size - used, "%.*s%s%s\r\n",
				   (int)length, line,
				   wants_tag(line, length) ? ";tag=" : "",
				   wants_tag(line, length) ? tag : "");
		used += (size_t)written;
		if (used + sizeof(last) > size)
			return 0;
	}
	memcpy(out + used, last, sizeof(last));
	return used + sizeof(last) - 1;
}

void body_value(const struct sip_view *view, const char *before, char end,
		char *value, size_t size)
{
	const char *start = strstr(view->body, before);
	size_t length;

	*value = '\0';
	if (!start)
		return;
	start += strlen(before);
	length = strcspn(start, (char[]){ end, '\0' });
	if (length >= size)
		return;
	memcpy(value, start, length);
	value[length] = '\0';
}
