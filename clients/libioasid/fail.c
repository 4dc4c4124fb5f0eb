/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.c - fill a struct ioasid_error, where it happens, in one returning line
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "libioasid/fail.h"

/**
 * copy() - Copy what fits, without half a character at the end
 * @dst:	Where to
 * @size:	Room there, not 0
 * @src:	UTF-8
 */
static void copy(char *dst, size_t size, const char *src)
{
	size_t n;

	if (str_copy(dst, size, src))
		return;
	n = strlen(dst);
	while (n > 0 && ((unsigned char)src[n] & 0xc0) == 0x80)
		n--;
	dst[n] = '\0';
}

/* fail_set() - See fail.h. */
int fail_set(struct ioasid_error *err, int ret, const char *id, const char *fmt,
	     ...)
{
	va_list ap;

	if (!err)
		return ret;

	memset(err, 0, sizeof(*err));
	copy(err->id, sizeof(err->id), id);
	va_start(ap, fmt);
	errno = -ret;
	(void)vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return ret;
}

/* fail_remedy() - See fail.h. */
void fail_remedy(struct ioasid_error *err, const char *remedy)
{
	if (err)
		copy(err->remedy, sizeof(err->remedy), remedy);
}

/* fail_remote() - See fail.h. */
int fail_remote(struct ioasid_error *err, const Ioasid__V1__Error *remote)
{
	if (!err)
		return -EREMOTEIO;

	memset(err, 0, sizeof(*err));
	copy(err->id, sizeof(err->id), remote->id);
	copy(err->message, sizeof(err->message), remote->message);
	copy(err->object, sizeof(err->object), remote->object);
	copy(err->remedy, sizeof(err->remedy), remote->remedy);
	for (size_t i = 0; i < remote->n_causes && i < IOASID_MAX_CAUSES; i++) {
		const Ioasid__V1__Cause *from = remote->causes[i];
		struct ioasid_cause *to = &err->causes[err->n_causes++];

		copy(to->kind, sizeof(to->kind), from->kind);
		copy(to->name, sizeof(to->name), from->name);
		copy(to->detail, sizeof(to->detail), from->detail);
	}
	return -EREMOTEIO;
}
