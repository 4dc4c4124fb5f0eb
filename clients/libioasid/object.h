/* SPDX-License-Identifier: Apache-2.0
 *
 * object.h - the library's objects, made of messages
 */
#ifndef LIBIOASID_OBJECT_H
#define LIBIOASID_OBJECT_H

#include "ioasid/v1/device.pb-c.h"
#include "ioasid/v1/lease.pb-c.h"
#include "ioasid/v1/operation.pb-c.h"
#include "ioasid/v1/space.pb-c.h"
#include "libioasid/ioasid.h"

/* object_device(), object_lease(), object_operation(), object_space() - Make an
 * object of its message, which is set to NULL once the object owns it. Return:
 * the object; NULL without memory.
 */
struct ioasid_device *object_device(Ioasid__V1__Device **msg);
struct ioasid_lease *object_lease(Ioasid__V1__Lease **msg);
struct ioasid_operation *object_operation(Ioasid__V1__Operation **msg);
struct ioasid_space *object_space(Ioasid__V1__Space **msg);

/**
 * object_space_size() - How much memory a space takes with its arrays
 * @msg:	Its message
 *
 * Return: bytes; a multiple of what anything is aligned to.
 */
size_t object_space_size(const Ioasid__V1__Space *msg);

/**
 * object_space_at() - Make a space in memory that somebody else owns
 * @at:		Zeroes, object_space_size() bytes of them, aligned for anything
 * @msg:	Its message, which has to live as long
 *
 * Return: the space, which is at @at.
 */
struct ioasid_space *object_space_at(void *at, const Ioasid__V1__Space *msg);

/* object_microseconds() - A timestamp as microseconds since 1970. Return: 0 for
 * NULL, or for one that is beyond the year 9999.
 */
int64_t object_microseconds(const Google__Protobuf__Timestamp *t);

#endif
