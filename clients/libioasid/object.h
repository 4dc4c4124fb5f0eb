/* SPDX-License-Identifier: Apache-2.0
 *
 * object.h - the library's objects, made of messages
 */
#ifndef LIBIOASID_OBJECT_H
#define LIBIOASID_OBJECT_H

#include "ioasid/v1/device.pb-c.h"
#include "ioasid/v1/lease.pb-c.h"
#include "ioasid/v1/operation.pb-c.h"
#include "libioasid/ioasid.h"

/* object_device(), object_lease(), object_operation() - Make an object of its message,
 * which is set to NULL once the object owns it. Return: the object; NULL without
 * memory.
 */
struct ioasid_device *object_device(Ioasid__V1__Device **msg);
struct ioasid_lease *object_lease(Ioasid__V1__Lease **msg);
struct ioasid_operation *object_operation(Ioasid__V1__Operation **msg);

#endif
