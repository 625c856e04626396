/* SPDX-License-Identifier: BSD-2-Clause */
/* One setting: its text in the file and its value in the section's struct. */
#include "conf/conf_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Smallest first. */
static const struct duration_unit {
	const char *name;
	uint32_t milliseconds;
} duration_units[] = {
	{ "ms", 1 },	  { "s", 1000 },     { "min", 60000 },
	{ "h", 3600000 }, { "d", 86400000 },
};
#define DURATION_UNITS (sizeof(duration_units) / sizeof(*duration_units))

static const struct bool_word {
	const char *word;
	bool value;
} bool_words[] = {
	{ "true", true }, { "false", false }, { "yes", true },
	{ "no", false },  { "on", true },     { "off", false },
};
#define BOOL_WORDS (sizeof(bool_words) / sizeof(*bool_words))

void *value_at(const struct setting *setting, const void *values)
{
	return (char *)(uintptr_t)values + setting->offset;
}

void duration_text(uint32_t milliseconds, char text[24])
{
	size_t i = milliseconds ? DURATION_UNITS - 1 : 1;

	while (milliseconds % duration_units[i].milliseconds)
		i--;
	snprintf(text, 24, "%" PRIu32 "%s",
		 milliseconds / duration_units[i].milliseconds,
		 duration_units[i].name);
}

static void number_text(const struct setting *setting, uint32_t number,
			char text[24])
{
	if (setting->type == SETTING_DURATION)
		duration_text(number, text);
	else
		snprintf(text, 24, "%" PRIu32, number);
}

/* Digits from `text` on; what follows them in *endp. False: none, or huge. */
static bool read_digits(const char *text, uint64_t *numberp, const char **endp)
{
	uint64_t number = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		number = number * 10 + (uint64_t)(*p - '0');
		if (number > UINT32_MAX)
			return false;
	}
	*numberp = number;
	*endp = p;
	return p != text;
}

static bool read_unsigned(const char *text, uint64_t *numberp)
{
	const char *end;

	return read_digits(text, numberp, &end) && !*end;
}

static bool read_duration(const char *text, uint64_t *numberp)
{
	const char *unit;

	if (!read_digits(text, numberp, &unit))
		return false;
	for (size_t i = 0; i < DURATION_UNITS; i++) {
		if (strcmp(unit, duration_units[i].name))
			continue;
		*numberp *= duration_units[i].milliseconds;
		return *numberp <= UINT32_MAX;
	}
	return false;
}

static int parse_number(const struct setting *setting, const char *text,
			uint32_t *valuep, char why[CONF_TEXT_SIZE])
{
	bool duration = setting->type == SETTING_DURATION;
	bool any = !setting->min && !setting->max;
	uint32_t max = any ? UINT32_MAX : setting->max;
	char low[24], high[24];
	uint64_t number;

	if (!(duration ? read_duration : read_unsigned)(text, &number)) {
		snprintf(why, CONF_TEXT_SIZE,
			 duration
			     ? "is no duration: write a number and its "
			       "unit, as '500ms', '30s', '5min', '1h', '2d'"
			     : "is no whole number from 0 to 4294967295");
		return EINVAL;
	}
	if (number < setting->min || number > max) {
		number_text(setting, setting->min, low);
		number_text(setting, max, high);
		snprintf(why, CONF_TEXT_SIZE,
			 "is out of range: it may be %s to %s", low, high);
		return EINVAL;
	}
	*valuep = (uint32_t)number;
	return 0;
}

static int parse_bool(const char *text, bool *valuep, char why[CONF_TEXT_SIZE])
{
	for (size_t i = 0; i < BOOL_WORDS; i++) {
		if (!strcmp(text, bool_words[i].word)) {
			*valuep = bool_words[i].value;
			return 0;
		}
	}
	snprintf(why, CONF_TEXT_SIZE, "is neither true nor false");
	return EINVAL;
}

static bool is_choice(const char *choices, const char *text)
{
	size_t length = strlen(text);

	for (const char *p = choices; *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		if (n == length && !strncmp(p, text, n))
			return true;
		p += n;
	}
	return false;
}

static int parse_string(struct conf *conf, const struct setting *setting,
			const char *text, char **valuep,
			char why[CONF_TEXT_SIZE])
{
	if (setting->choices && !is_choice(setting->choices, text)) {
		snprintf(why, CONF_TEXT_SIZE, "is not one of %s",
			 setting->choices);
		return EINVAL;
	}
	*valuep = conf_duplicate(conf, text);
	return *valuep ? 0 : ENOMEM;
}

static int list_append(struct conf *conf, struct setting_list *list,
		       const char *text)
{
	char *copy = conf_duplicate(conf, text);
	char **values =
	    conf_grow(conf, list->values, list->count, sizeof(*list->values));

	if (!copy || !values)
		return ENOMEM;
	list->values = values;
	values[list->count++] = copy;
	return 0;
}

int value_parse(struct conf *conf, const struct setting *setting,
		const char *text, void *values, char why[CONF_TEXT_SIZE])
{
	void *value = value_at(setting, values);

	switch (setting->type) {
	case SETTING_STRING:
		return parse_string(conf, setting, text, value, why);
	case SETTING_UNSIGNED:
	case SETTING_DURATION:
		return parse_number(setting, text, value, why);
	case SETTING_BOOL:
		return parse_bool(text, value, why);
	case SETTING_LIST:
		return list_append(conf, value, text);
	case SETTING_SECTIONS:
		break;
	}
	return EINVAL;
}

/* "a, b": one value each. */
static int parse_default_list(struct conf *conf, const char *text,
			      struct setting_list *list)
{
	char *copy = conf_duplicate(conf, text), *rest = NULL;
	int err = copy ? 0 : ENOMEM;

	for (char *item = copy ? strtok_r(copy, ", ", &rest) : NULL;
	     item && !err; item = strtok_r(NULL, ", ", &rest))
		err = list_append(conf, list, item);
	return err;
}

int value_set_default(struct conf *conf, const struct setting *setting,
		      void *values)
{
	char why[CONF_TEXT_SIZE];

	if (!setting->default_value || setting->type == SETTING_SECTIONS)
		return 0;
	if (setting->type == SETTING_LIST)
		return parse_default_list(conf, setting->default_value,
					  value_at(setting, values));
	return value_parse(conf, setting, setting->default_value, values, why);
}

static char *list_text(const struct setting_list *list)
{
	size_t bytes = 1;
	char *text, *end;

	for (size_t i = 0; i < list->count; i++)
		bytes += strlen(list->values[i]) + 2;
	text = malloc(bytes);
	if (!text)
		return NULL;
	end = text;
	*end = '\0';
	for (size_t i = 0; i < list->count; i++) {
		if (i)
			end = stpcpy(end, ", ");
		end = stpcpy(end, list->values[i]);
	}
	return text;
}

char *value_text(const struct setting *setting, const void *values)
{
	const void *value = value_at(setting, values);
	char number[24];

	switch (setting->type) {
	case SETTING_STRING: {
		const char *text = *(char *const *)value;

		return strdup(text ? text : "");
	}
	case SETTING_UNSIGNED:
	case SETTING_DURATION:
		number_text(setting, *(const uint32_t *)value, number);
		return strdup(number);
	case SETTING_BOOL:
		return strdup(*(const bool *)value ? "true" : "false");
	case SETTING_LIST:
		return list_text(value);
	case SETTING_SECTIONS:
		return sections_text(value);
	}
	return NULL;
}

static bool list_equal(const struct setting_list *a,
		       const struct setting_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->values[i], b->values[i]))
			return false;
	}
	return true;
}

bool value_equal(const struct setting *setting, const void *a, const void *b)
{
	const void *x = value_at(setting, a), *y = value_at(setting, b);

	switch (setting->type) {
	case SETTING_STRING:
		return !strcmp(*(char *const *)x, *(char *const *)y);
	case SETTING_UNSIGNED:
	case SETTING_DURATION:
		return *(const uint32_t *)x == *(const uint32_t *)y;
	case SETTING_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case SETTING_LIST:
		return list_equal(x, y);
	case SETTING_SECTIONS:
		return sections_equal(setting, x, y);
	}
	return false;
}

static int copy_string(struct conf *conf, char **to, const char *from)
{
	char *copy = conf_duplicate(conf, from);

	if (!copy)
		return ENOMEM;
	*to = copy;
	return 0;
}

static int copy_list(struct conf *conf, struct setting_list *to,
		     const struct setting_list *from)
{
	struct setting_list copy = { 0 };
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++)
		err = list_append(conf, &copy, from->values[i]);
	if (!err)
		*to = copy;
	return err;
}

int value_copy(struct conf *conf, const struct setting *setting, void *to,
	       const void *from)
{
	void *target = value_at(setting, to);
	const void *source = value_at(setting, from);

	switch (setting->type) {
	case SETTING_STRING:
		return copy_string(conf, target, *(char *const *)source);
	case SETTING_UNSIGNED:
	case SETTING_DURATION:
		*(uint32_t *)target = *(const uint32_t *)source;
		return 0;
	case SETTING_BOOL:
		*(bool *)target = *(const bool *)source;
		return 0;
	case SETTING_LIST:
		return copy_list(conf, target, source);
	case SETTING_SECTIONS:
		return sections_copy(conf, setting, target, source);
	}
	return EINVAL;
}

const char *value_type_name(const struct setting *setting)
{
	static const char *const names[] = {
		[SETTING_STRING] = "string",
		[SETTING_UNSIGNED] = "number",
		[SETTING_DURATION] = "duration",
		[SETTING_BOOL] = "boolean",
		[SETTING_LIST] = "list",
		[SETTING_SECTIONS] = "sections",
	};

	return setting->choices ? "choice" : names[setting->type];
}
