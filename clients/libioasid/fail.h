/* SPDX-License-Identifier: Apache-2.0
 *
 * fail.h - fill a struct ioasid_error, where it happens, in one returning line
 *
 * The clients' counterpart of base/error.h: theirs carry ids of their own and
 * of daemons newer than they are, so the id is a string.
 */
#ifndef LIBIOASID_FAIL_H
#define LIBIOASID_FAIL_H

#include "ioasid/v1/common.pb-c.h"
#include "libioasid/ioasid.h"

/**
 * fail_set() - Fill an error anew
 * @err:	May be NULL
 * @ret:	Negative errno; also what %m stands for in @fmt
 * @id:		IOASID_ERROR_* or an id of the daemon's catalogue
 * @fmt:	The words
 *
 * Return: @ret.
 */
int fail_set(struct ioasid_error *err, int ret, const char *id, const char *fmt,
	     ...) __attribute__((format(printf, 4, 5)));

/**
 * fail_remedy() - Say what would work
 * @err:	A filled error; may be NULL
 * @remedy:	The words
 */
void fail_remedy(struct ioasid_error *err, const char *remedy);

/**
 * fail_remote() - Fill an error from the daemon's
 * @err:	May be NULL
 * @remote:	As received and validated
 *
 * What does not fit is cut between characters.
 *
 * Return: -EREMOTEIO.
 */
int fail_remote(struct ioasid_error *err, const Ioasid__V1__Error *remote);

#endif
