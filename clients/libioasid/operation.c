/* SPDX-License-Identifier: Apache-2.0
 *
 * operation.c - changes to the host: asked for, and waited for
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "ioasid/v1/device.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"
#include "libioasid/operation.h"

/* How long one WaitOperation asks for at most, milliseconds; the daemon's
 * limit is 600,000.
 */
#define WAIT_SLICE_MS 60000

static_assert((int)IOASID_OPERATION_FAILED ==
	      IOASID__V1__OPERATION__STATE__FAILED, "");
static_assert(IOASID_OPERATION_STATES == 4, "a state was added");

/**
 * struct operation_box - An operation and what its strings lie in
 * @pub:	What the caller has; first, so that it is the box's address
 * @msg:	Owner of the strings
 * @error:	What @pub.error points to
 */
struct operation_box {
	struct ioasid_operation pub;
	Ioasid__V1__Operation *msg;
	struct ioasid_error error;
};

/* object_operation() - See object.h. */
struct ioasid_operation *object_operation(Ioasid__V1__Operation **msg)
{
	struct operation_box *box;

	box = calloc(1, sizeof(*box));
	if (!box)
		return NULL;
	box->msg = TAKE_PTR(*msg);
	box->pub = (struct ioasid_operation){
		.name = box->msg->name,
		.revision = box->msg->revision,
		.etag = box->msg->etag,
		.kind = box->msg->kind,
		.target = box->msg->target,
		.state = (enum ioasid_operation_state)box->msg->state,
		.step = box->msg->step,
	};
	if (box->msg->error) {
		(void)fail_remote(&box->error, box->msg->error);
		box->pub.error = &box->error;
	}
	return (void *)box; /* whose first member it is */
}

/* ioasid_operation_free() - See ioasid.h. */
struct ioasid_operation *
ioasid_operation_free(struct ioasid_operation *operation)
{
	struct operation_box *box = (struct operation_box *)operation;

	if (box) {
		(void)message_free(box->msg);
		free(box);
	}
	return NULL;
}

/**
 * operation_give() - Give the caller an operation
 * @msg:	Its message; freed, also on failure
 * @ret:	The operation
 * @err:	May be NULL
 *
 * Return: 0 or -ENOMEM.
 */
static int operation_give(Ioasid__V1__Operation *msg,
			  struct ioasid_operation **ret,
			  struct ioasid_error *err)
{
	_cleanup_message_ Ioasid__V1__Operation *mine = msg;
	struct ioasid_operation *operation;

	operation = object_operation(&mine);
	if (!operation)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	*ret = operation;
	return 0;
}

/**
 * operation_start() - Call a method that answers with an operation
 * @conn:	The connection
 * @method:	"Devices/PrepareDevice"
 * @request:	Its request message
 * @ret:	The operation
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
static int operation_start(struct ioasid *conn, const char *method,
			   const ProtobufCMessage *request,
			   struct ioasid_operation **ret,
			   struct ioasid_error *err)
{
	ProtobufCMessage *reply;
	int r;

	r = channel_call(conn, method, request,
			 &ioasid__v1__operation__descriptor, &reply, err);
	if (r < 0)
		return r;
	return operation_give((Ioasid__V1__Operation *)reply, ret, err);
}

/* ioasid_device_prepare() - See ioasid.h. */
int ioasid_device_prepare(struct ioasid *conn, const char *name,
			  const char *driver, unsigned int flags,
			  struct ioasid_operation **ret,
			  struct ioasid_error *err)
{
	Ioasid__V1__PrepareDeviceRequest request =
		IOASID__V1__PREPARE_DEVICE_REQUEST__INIT;

	if (flags & ~(unsigned int)(IOASID_PREPARE_FORCE |
				    IOASID_PREPARE_ALLOW_NO_RESET |
				    IOASID_PREPARE_ALLOW_UNSAFE_INTERRUPTS |
				    IOASID_PREPARE_ALLOW_NO_IOMMU |
				    IOASID_PREPARE_DRY_RUN))
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"unknown flags 0x%x", flags);
	request.name = (char *)name;
	request.driver = (char *)(driver ? driver : "");
	request.force = !!(flags & IOASID_PREPARE_FORCE);
	request.allow_no_reset = !!(flags & IOASID_PREPARE_ALLOW_NO_RESET);
	request.allow_unsafe_interrupts =
		!!(flags & IOASID_PREPARE_ALLOW_UNSAFE_INTERRUPTS);
	request.allow_no_iommu = !!(flags & IOASID_PREPARE_ALLOW_NO_IOMMU);
	request.dry_run = !!(flags & IOASID_PREPARE_DRY_RUN);
	return operation_start(conn, "Devices/PrepareDevice", &request.base,
			       ret, err);
}

/* ioasid_device_restore() - See ioasid.h. */
int ioasid_device_restore(struct ioasid *conn, const char *name,
			  struct ioasid_operation **ret,
			  struct ioasid_error *err)
{
	Ioasid__V1__RestoreDeviceRequest request =
		IOASID__V1__RESTORE_DEVICE_REQUEST__INIT;

	request.name = (char *)name;
	return operation_start(conn, "Devices/RestoreDevice", &request.base,
			       ret, err);
}

/* ioasid_device_recover() - See ioasid.h. */
int ioasid_device_recover(struct ioasid *conn, const char *name,
			  struct ioasid_operation **ret,
			  struct ioasid_error *err)
{
	Ioasid__V1__RecoverDeviceRequest request =
		IOASID__V1__RECOVER_DEVICE_REQUEST__INIT;

	request.name = (char *)name;
	return operation_start(conn, "Devices/RecoverDevice", &request.base,
			       ret, err);
}

/* operation_wait() - See operation.h. */
int operation_wait(struct ioasid *conn, const char *name, int timeout_ms,
		   Ioasid__V1__Operation **ret, struct ioasid_error *err)
{
	Ioasid__V1__WaitOperationRequest request =
		IOASID__V1__WAIT_OPERATION_REQUEST__INIT;
	uint64_t end = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
	ProtobufCMessage *reply;
	uint64_t now, left;
	int r;

	request.name = (char *)name;
	for (;;) {
		now = clock_mono_ns();
		left = timeout_ms < 0 ? WAIT_SLICE_MS :
		       end > now ? (end - now) / 1000000 : 0;
		/* 0 would mean the daemon's default. */
		request.timeout_ms = left > WAIT_SLICE_MS ? WAIT_SLICE_MS :
				     left ? (uint32_t)left : 1;
		r = channel_call_long(conn, "Operations/WaitOperation",
				      (int)request.timeout_ms, &request.base,
				      &ioasid__v1__operation__descriptor,
				      &reply, err);
		if (r < 0)
			return r;
		*ret = (Ioasid__V1__Operation *)reply;
		if ((*ret)->state != IOASID__V1__OPERATION__STATE__RUNNING ||
		    (timeout_ms >= 0 && clock_mono_ns() >= end))
			return 0;
		(void)message_free(reply);
	}
}

/* ioasid_operation_wait() - See ioasid.h. */
int ioasid_operation_wait(struct ioasid *conn, const char *name,
			  int timeout_ms, struct ioasid_operation **ret,
			  struct ioasid_error *err)
{
	Ioasid__V1__Operation *msg;
	int r;

	r = operation_wait(conn, name, timeout_ms, &msg, err);
	if (r < 0)
		return r;
	return operation_give(msg, ret, err);
}

/* ioasid_operation_cancel() - See ioasid.h. */
int ioasid_operation_cancel(struct ioasid *conn, const char *name,
			    struct ioasid_operation **ret,
			    struct ioasid_error *err)
{
	Ioasid__V1__CancelOperationRequest request =
		IOASID__V1__CANCEL_OPERATION_REQUEST__INIT;

	request.name = (char *)name;
	return operation_start(conn, "Operations/CancelOperation",
			       &request.base, ret, err);
}
