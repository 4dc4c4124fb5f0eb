/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c - changes as they are made
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "ioasid/v1/event.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"

/**
 * struct change_box - A change and what it consists of
 * @pub:	What the caller has; first, so that it is the box's address
 * @msg:	Owner of the strings; the objects are taken out of it
 */
struct change_box {
	struct ioasid_change pub;
	Ioasid__V1__Change *msg;
};

/* ioasid_watch_start() - See ioasid.h. */
int ioasid_watch_start(struct ioasid *conn, uint64_t revision,
		       const char *const *collections, size_t n_collections,
		       struct ioasid_error *err)
{
	Ioasid__V1__WatchEventsRequest request =
		IOASID__V1__WATCH_EVENTS_REQUEST__INIT;

	request.revision = revision;
	request.collections = (char **)collections;
	request.n_collections = n_collections;
	return channel_stream(conn, "Events/WatchEvents", &request.base, err);
}

/* ioasid_watch_fd() - See ioasid.h. */
int ioasid_watch_fd(const struct ioasid *conn)
{
	return conn->fd;
}

/**
 * change_take() - Make the object of a change the library's own
 * @box:	With its message
 *
 * Return: 0 or -ENOMEM.
 */
static int change_take(struct change_box *box)
{
	Ioasid__V1__Change *msg = box->msg;

	switch (msg->object_case) {
	case IOASID__V1__CHANGE__OBJECT_DEVICE:
		box->pub.device = object_device(&msg->device);
		return box->pub.device ? 0 : -ENOMEM;
	case IOASID__V1__CHANGE__OBJECT_LEASE:
		box->pub.lease = object_lease(&msg->lease);
		return box->pub.lease ? 0 : -ENOMEM;
	case IOASID__V1__CHANGE__OBJECT_OPERATION:
		box->pub.operation = object_operation(&msg->operation);
		return box->pub.operation ? 0 : -ENOMEM;
	case IOASID__V1__CHANGE__OBJECT_GROUP:
	case IOASID__V1__CHANGE__OBJECT_IOMMU:
	case IOASID__V1__CHANGE__OBJECT__NOT_SET:
	case _IOASID__V1__CHANGE__OBJECT__CASE_IS_INT_SIZE:
		break;
	}
	return 0;
}

/**
 * change_new() - Make a change of its message
 * @msg:	Freed, also on failure
 *
 * Return: the change; NULL without memory.
 */
static struct ioasid_change *change_new(Ioasid__V1__Change *msg)
{
	struct change_box *box = calloc(1, sizeof(*box));

	if (!box) {
		(void)message_free(msg);
		return NULL;
	}
	box->msg = msg;
	box->pub.revision = msg->revision;
	box->pub.name = msg->name;
	if (msg->at)
		box->pub.at_us = msg->at->seconds * 1000000 +
				 msg->at->nanos / 1000;
	box->pub.removed = msg->removed;
	if (change_take(box) < 0)
		return ioasid_change_free((void *)box);
	return (void *)box; /* whose first member it is */
}

/* ioasid_change_free() - See ioasid.h. */
struct ioasid_change *ioasid_change_free(struct ioasid_change *change)
{
	struct change_box *box = (struct change_box *)change;

	if (!box)
		return NULL;
	(void)ioasid_device_free((struct ioasid_device *)box->pub.device);
	(void)ioasid_lease_free((struct ioasid_lease *)box->pub.lease);
	(void)ioasid_operation_free(
		(struct ioasid_operation *)box->pub.operation);
	(void)message_free(box->msg);
	free(box);
	return NULL;
}

/* ioasid_watch_next() - See ioasid.h. */
int ioasid_watch_next(struct ioasid *conn, int timeout_ms,
		      struct ioasid_change **ret, struct ioasid_error *err)
{
	struct ioasid_change *change;
	ProtobufCMessage *msg;
	int r;

	r = channel_item(conn, timeout_ms, &ioasid__v1__change__descriptor,
			 &msg, err);
	if (r < 0)
		return r;
	change = change_new((Ioasid__V1__Change *)msg);
	if (!change)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	*ret = change;
	return 0;
}

/* ioasid_watch_stop() - See ioasid.h. */
int ioasid_watch_stop(struct ioasid *conn, struct ioasid_error *err)
{
	return channel_stop(conn, err);
}
