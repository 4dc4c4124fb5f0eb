/* SPDX-License-Identifier: Apache-2.0
 *
 * operation.h - waiting for operations, for libioasid and ioasidctl
 */
#ifndef LIBIOASID_OPERATION_H
#define LIBIOASID_OPERATION_H

#include "ioasid/v1/operation.pb-c.h"
#include "libioasid/ioasid.h"

/**
 * operation_wait() - Wait until an operation has ended
 * @conn:	The connection
 * @name:	"operations/<ULID>"
 * @timeout_ms:	How long at most; -1 for no limit
 * @ret:	The operation as it then is; message_free()
 * @err:	May be NULL
 *
 * Return: as ioasid_operation_wait().
 */
int operation_wait(struct ioasid *conn, const char *name, int timeout_ms,
		   Ioasid__V1__Operation **ret, struct ioasid_error *err);

#endif
