/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - what went wrong, in words, with a stable id
 */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct error_kind kinds[ERROR_COUNT] = {
#include "errors.inc"
};

/**
 * put() - Format into a field of an error
 * @dst:	The field
 * @size:	Its size
 * @fmt:	The words
 * @args:	For @fmt; may point into the error itself
 */
__attribute__((format(printf, 3, 0))) static void
put(char *dst, size_t size, const char *fmt, va_list args)
{
	char text[sizeof(((struct error *)NULL)->msg)];

	assert(size <= sizeof(text));
	vsnprintf(text, sizeof(text), fmt, args);
	str_copy(dst, size, text);
	str_clean(dst);
}

/* error_kind() - The catalogue's entry of an id */
const struct error_kind *error_kind(enum error_id id)
{
	if ((unsigned int)id >= ERROR_COUNT || !kinds[id].id)
		id = ERROR_DAEMON_INTERNAL;

	return &kinds[id];
}

/* error_from_name() - The id that a stable identifier stands for */
enum error_id error_from_name(const char *name)
{
	for (unsigned int i = ERROR_NONE + 1; i < ERROR_COUNT; i++)
		if (str_eq(kinds[i].id, name))
			return i;

	return ERROR_NONE;
}

/**
 * error_fill() - See error_set()
 *
 * The words are made before anything else changes: they may quote @err.
 */
void error_fill(struct error *err, int ret, enum error_id id, const char *fmt,
		...)
{
	int saved = errno;
	va_list args;

	if (!err)
		return;

	errno = -ret;
	va_start(args, fmt);
	put(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);
	errno = saved;

	err->kind = id;
	err->number = -ret;
	err->object[0] = '\0';
	err->remedy[0] = '\0';
	err->n_causes = 0;
}

/* error_object() - Say which object the error is about, unless it is known */
void error_object(struct error *err, const char *fmt, ...)
{
	va_list args;

	if (!err || err->object[0])
		return;

	va_start(args, fmt);
	put(err->object, sizeof(err->object), fmt, args);
	va_end(args);
}

/* error_remedy() - Say what would work, better than the catalogue can */
void error_remedy(struct error *err, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return;

	va_start(args, fmt);
	put(err->remedy, sizeof(err->remedy), fmt, args);
	va_end(args);
}

/* error_cause() - Name one thing that stands in the way */
void error_cause(struct error *err, const char *kind, const char *name,
		 const char *fmt, ...)
{
	struct error_cause *cause;
	va_list args;

	if (!err || err->n_causes >= ERROR_MAX_CAUSES)
		return;

	cause = &err->causes[err->n_causes];
	str_copy(cause->kind, sizeof(cause->kind), kind);
	str_clean(cause->kind);
	str_copy(cause->name, sizeof(cause->name), name);
	str_clean(cause->name);
	va_start(args, fmt);
	put(cause->detail, sizeof(cause->detail), fmt, args);
	va_end(args);
	err->n_causes++;
}

/* error_prefix() - Put context before the words, going up */
void error_prefix(struct error *err, const char *fmt, ...)
{
	char old[sizeof(((struct error *)NULL)->msg)];
	va_list args;
	size_t n;

	if (!err)
		return;

	str_copy(old, sizeof(old), err->msg);
	va_start(args, fmt);
	put(err->msg, sizeof(err->msg), fmt, args);
	va_end(args);

	n = strlen(err->msg);
	str_format(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	str_clean(err->msg);
}
