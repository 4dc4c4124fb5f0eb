/* SPDX-License-Identifier: Apache-2.0
 *
 * error.h - what went wrong, in words, with a stable id
 *
 * A function that can fail returns 0 or -errno. One whose failure reaches a
 * client also fills a struct error: an id from schema/errors.catalogue, words,
 * the object, and each thing that stands in the way. It is a fixed buffer, so
 * that reporting never allocates; text that does not fit is cut. All text in it
 * is valid UTF-8 without control characters, whatever went in: names of
 * processes and files are made by strangers.
 */
#ifndef IOASIDD_BASE_ERROR_H
#define IOASIDD_BASE_ERROR_H

#include <errno.h>
#include <stddef.h>

#include "errors.h"	/* generated: enum error_id */

#define ERROR_MAX_CAUSES 16

/**
 * struct error_kind - What the catalogue says of an id
 * @id:		The stable identifier, "device.in-use"
 * @grpc:	google.rpc.Code number
 * @http:	HTTP status
 * @meaning:	What it means
 * @remedy:	What usually helps
 */
struct error_kind {
	const char *id;
	int grpc;
	int http;
	const char *meaning;
	const char *remedy;
};

/**
 * struct error_cause - One thing that stands in the way
 * @kind:	"process", "mount", "swap", "holder", "netdev", "block",
 *		"device", "group", "range", "descriptor", "operation" or "field"
 * @name:	Its name
 * @detail:	What it does that stands in the way
 */
struct error_cause {
	char kind[16];
	char name[112];
	char detail[128];
};

/**
 * struct error - One failure, for the client
 * @kind:	ERROR_NONE if nothing has failed
 * @number:	errno, positive; what the failing function returned negated
 * @msg:	The words
 * @object:	Resource name of the object it is about; empty if none
 * @remedy:	What would work; empty for the catalogue's
 * @causes:	What stands in the way
 * @n_causes:	How many of them are filled
 */
struct error {
	enum error_id kind;
	int number;
	char msg[512];
	char object[112];
	char remedy[256];
	struct error_cause causes[ERROR_MAX_CAUSES];
	size_t n_causes;
};

#define ERROR_NULL ((struct error){ .kind = ERROR_NONE })

/**
 * error_kind() - The catalogue's entry of an id
 * @id:		Not ERROR_NONE
 *
 * Return: the entry; for an id out of range that of daemon.internal.
 */
const struct error_kind *error_kind(enum error_id id);

/**
 * error_from_name() - The id that a stable identifier stands for
 * @name:	Such as "device.in-use"
 *
 * Return: the id; ERROR_NONE if the catalogue has no such name.
 */
enum error_id error_from_name(const char *name);

/* error_fill() - What error_set() does with @err. */
void error_fill(struct error *err, int ret, enum error_id id,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* error_number() - @ret, which is to be negative; -EIO if it is not. */
static inline int error_number(int ret)
{
	return ret < 0 ? ret : -EIO;
}

/**
 * error_set() - Fill an error, where it happens, in one returning line
 * @err:	Filled anew, causes and object too; may be NULL
 * @ret:	Negative errno; also what %m stands for in @fmt
 * @id:		From the catalogue
 * @fmt:	The words
 *
 * A macro, so that compilers and analysers see that it returns a failure.
 *
 * Return: @ret; -EIO if that is no failure: a call that failed and left errno
 * alone must not look like one that has succeeded.
 */
#define error_set(err, ret, id, ...)                         \
	({                                                   \
		const int _ret = error_number(ret);          \
                                                             \
		error_fill(err, _ret, id, __VA_ARGS__);      \
		_ret;                                        \
	})

/**
 * error_object() - Say which object the error is about, unless it is known
 * @err:	A filled error; may be NULL
 * @fmt:	Resource name
 */
void error_object(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * error_remedy() - Say what would work, better than the catalogue can
 * @err:	A filled error; may be NULL
 * @fmt:	The words
 */
void error_remedy(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * error_cause() - Name one thing that stands in the way
 * @err:	A filled error; may be NULL
 * @kind:	See struct error_cause
 * @name:	Its name
 * @fmt:	What it does
 *
 * The first ERROR_MAX_CAUSES are kept.
 */
void error_cause(struct error *err, const char *kind, const char *name,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/**
 * error_prefix() - Put context before the words, going up
 * @err:	A filled error; may be NULL
 * @fmt:	The words, without the colon
 */
void error_prefix(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
