/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - spaces of hold leases: made, read, given windows and devices
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/str.h"
#include "ioasid/v1/space.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"
#include "libioasid/wish.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/**
 * struct space_box - A space of its own, and what its strings lie in
 * @msg:	Owner of the strings
 * @pub:	What the caller has; its arrays follow
 *
 * A space in a lease has none: its strings are the lease's.
 */
struct space_box {
	Ioasid__V1__Space *msg;
	_Alignas(max_align_t) struct ioasid_space pub;
};

/* The box of a space that has one. */
#define space_box_of(space)                     \
	((struct space_box *)((char *)(space) - \
			      offsetof(struct space_box, pub)))

/**
 * take() - Cut the next array off a piece of memory
 * @rest:	The memory, moved behind it
 * @size:	Bytes of the array
 *
 * Return: the array.
 */
static void *take(char **rest, size_t size)
{
	void *array = *rest;

	*rest += size;
	return array;
}

/* object_space_size() - See object.h. */
size_t object_space_size(const Ioasid__V1__Space *msg)
{
	size_t size = sizeof(struct ioasid_space) +
		      msg->n_windows * sizeof(struct ioasid_window) +
		      msg->n_iova_ranges * sizeof(struct ioasid_range) +
		      msg->n_attachments * sizeof(struct ioasid_attachment) +
		      msg->n_labels * sizeof(struct ioasid_label);
	size_t mask = _Alignof(max_align_t) - 1;

	/* No overflow: each item has a message, and those fit in memory. */
	return (size + mask) & ~mask;
}

/**
 * space_ranges() - Fill in what a space has of addresses
 * @pub:	The space
 * @msg:	Its message
 * @rest:	Memory for the arrays, moved behind them
 */
static void space_ranges(struct ioasid_space *pub, const Ioasid__V1__Space *msg,
			 char **rest)
{
	struct ioasid_window *windows =
		take(rest, msg->n_windows * sizeof(*windows));
	struct ioasid_range *ranges =
		take(rest, msg->n_iova_ranges * sizeof(*ranges));

	for (size_t i = 0; i < msg->n_windows; i++)
		windows[i] = (struct ioasid_window){
			.start = msg->windows[i]->start,
			.last = msg->windows[i]->last,
			.page_sizes = msg->windows[i]->page_sizes,
			.purpose = (enum ioasid_window_purpose)
					   msg->windows[i]->purpose,
		};
	for (size_t i = 0; i < msg->n_iova_ranges; i++)
		ranges[i] = (struct ioasid_range){
			.start = msg->iova_ranges[i]->start,
			.last = msg->iova_ranges[i]->last,
		};
	pub->n_windows = msg->n_windows;
	pub->windows = windows;
	pub->n_iova_ranges = msg->n_iova_ranges;
	pub->iova_ranges = ranges;
	pub->iova_alignment = msg->iova_alignment;
}

/**
 * space_names() - Fill in what a space has of names
 * @pub:	The space
 * @msg:	Its message
 * @rest:	Memory for the arrays, moved behind them
 */
static void space_names(struct ioasid_space *pub, const Ioasid__V1__Space *msg,
			char **rest)
{
	struct ioasid_attachment *attachments =
		take(rest, msg->n_attachments * sizeof(*attachments));
	struct ioasid_label *labels =
		take(rest, msg->n_labels * sizeof(*labels));

	for (size_t i = 0; i < msg->n_attachments; i++)
		attachments[i].device = msg->attachments[i]->device;
	for (size_t i = 0; i < msg->n_labels; i++)
		labels[i] = (struct ioasid_label){
			.key = msg->labels[i]->key,
			.value = msg->labels[i]->value,
		};
	pub->n_attachments = msg->n_attachments;
	pub->attachments = attachments;
	pub->n_labels = msg->n_labels;
	pub->labels = labels;
}

/* object_space_at() - See object.h. */
struct ioasid_space *object_space_at(void *at, const Ioasid__V1__Space *msg)
{
	struct ioasid_space *pub = at;
	char *rest = (char *)(pub + 1);

	pub->name = msg->name;
	pub->revision = msg->revision;
	pub->etag = msg->etag;
	pub->lease = msg->lease;
	pub->kernel_id = msg->kernel_id;
	pub->created_us = object_microseconds(msg->created);
	/* Numbers of 64 bits first, then pointers, which may be shorter. */
	space_ranges(pub, msg, &rest);
	space_names(pub, msg, &rest);
	return pub;
}

/* object_space() - See object.h. */
struct ioasid_space *object_space(Ioasid__V1__Space **msg)
{
	struct space_box *box;

	box = calloc(1, offsetof(struct space_box, pub) +
		     object_space_size(*msg));
	if (!box)
		return NULL;
	(void)object_space_at(&box->pub, *msg);
	box->msg = TAKE_PTR(*msg);
	return &box->pub;
}

/* ioasid_space_free() - See ioasid.h. */
struct ioasid_space *ioasid_space_free(struct ioasid_space *space)
{
	if (space) {
		struct space_box *box = space_box_of(space);

		(void)message_free(box->msg);
		free(box);
	}
	return NULL;
}

/* ioasid_space_list_free() - See ioasid.h. */
struct ioasid_space_list *ioasid_space_list_free(struct ioasid_space_list *list)
{
	if (list) {
		for (size_t i = 0; i < list->n; i++)
			(void)ioasid_space_free(list->items[i]);
		free(list->items);
		free(list);
	}
	return NULL;
}

/**
 * space_list_new() - Make a list of its reply
 * @reply:	The reply; its spaces pass to the list
 *
 * Return: the list; NULL without memory.
 */
static struct ioasid_space_list *
space_list_new(Ioasid__V1__ListSpacesResponse *reply)
{
	struct ioasid_space_list *list;

	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->revision = reply->revision;
	list->items = calloc(reply->n_spaces + 1, sizeof(*list->items));
	if (!list->items)
		return ioasid_space_list_free(list);
	for (size_t i = 0; i < reply->n_spaces; i++) {
		list->items[list->n++] = object_space(&reply->spaces[i]);
		if (!list->items[i])
			return ioasid_space_list_free(list);
	}
	return list;
}

/* ioasid_space_list() - See ioasid.h. */
int ioasid_space_list(struct ioasid *conn, const char *lease,
		      struct ioasid_space_list **ret, struct ioasid_error *err)
{
	Ioasid__V1__ListSpacesRequest request =
		IOASID__V1__LIST_SPACES_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_space_list *list;
	int r;

	request.lease = (char *)(lease ?: "");
	r = channel_list(conn, "Spaces/ListSpaces", &request.base,
			 &ioasid__v1__list_spaces_response__descriptor, &reply,
			 err);
	if (r < 0)
		return r;
	list = space_list_new((Ioasid__V1__ListSpacesResponse *)reply);
	if (!list)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = list;
	return 0;
}

/**
 * space_call() - Call a method that answers with a space
 * @conn:	The connection
 * @method:	"Spaces/GetSpace"
 * @request:	Its request message
 * @ret:	The space; may be NULL
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
static int space_call(struct ioasid *conn, const char *method,
		      const ProtobufCMessage *request,
		      struct ioasid_space **ret, struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_space *space;
	int r;

	r = channel_call(conn, method, request,
			 &ioasid__v1__space__descriptor, &reply, err);
	if (r < 0 || !ret)
		return r;
	space = object_space((Ioasid__V1__Space **)&reply);
	if (!space)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = space;
	return 0;
}

/* ioasid_space_get() - See ioasid.h. */
int ioasid_space_get(struct ioasid *conn, const char *name,
		     struct ioasid_space **ret, struct ioasid_error *err)
{
	Ioasid__V1__GetSpaceRequest request =
		IOASID__V1__GET_SPACE_REQUEST__INIT;

	request.name = (char *)name;
	return space_call(conn, "Spaces/GetSpace", &request.base, ret, err);
}

/* ioasid_space_create() - See ioasid.h. */
int ioasid_space_create(struct ioasid *conn, const char *lease,
			const struct ioasid_space_wish *wish,
			const struct ioasid_terms *terms,
			struct ioasid_space **ret, struct ioasid_error *err)
{
	Ioasid__V1__CreateSpaceRequest request =
		IOASID__V1__CREATE_SPACE_REQUEST__INIT;
	struct wish_space space;
	int r;

	r = wish_space_fill(wish, &space, err);
	if (r < 0)
		return r;
	request.lease = (char *)lease;
	request.space = &space.msg;
	wish_terms(&request.base, terms);
	return space_call(conn, "Spaces/CreateSpace", &request.base, ret, err);
}

/* ioasid_space_delete() - See ioasid.h. */
int ioasid_space_delete(struct ioasid *conn, const char *name,
			const struct ioasid_terms *terms,
			struct ioasid_space **ret, struct ioasid_error *err)
{
	Ioasid__V1__DeleteSpaceRequest request =
		IOASID__V1__DELETE_SPACE_REQUEST__INIT;

	request.name = (char *)name;
	wish_terms(&request.base, terms);
	return space_call(conn, "Spaces/DeleteSpace", &request.base, ret, err);
}

/* ioasid_space_set_windows() - See ioasid.h. */
int ioasid_space_set_windows(struct ioasid *conn, const char *name,
			     const struct ioasid_window_wish *windows,
			     size_t n_windows, const struct ioasid_terms *terms,
			     struct ioasid_space **ret,
			     struct ioasid_error *err)
{
	Ioasid__V1__SetWindowsRequest request =
		IOASID__V1__SET_WINDOWS_REQUEST__INIT;
	struct wish_windows wishes;
	int r;

	r = wish_windows_fill(windows, n_windows, &wishes, err);
	if (r < 0)
		return r;
	request.name = (char *)name;
	request.windows = wishes.pointers;
	request.n_windows = n_windows;
	wish_terms(&request.base, terms);
	return space_call(conn, "Spaces/SetWindows", &request.base, ret, err);
}

/* ioasid_space_attach() - See ioasid.h. */
int ioasid_space_attach(struct ioasid *conn, const char *name,
			const char *device, const struct ioasid_terms *terms,
			struct ioasid_space **ret, struct ioasid_error *err)
{
	Ioasid__V1__AttachDeviceRequest request =
		IOASID__V1__ATTACH_DEVICE_REQUEST__INIT;

	request.name = (char *)name;
	request.device = (char *)device;
	wish_terms(&request.base, terms);
	return space_call(conn, "Spaces/AttachDevice", &request.base, ret, err);
}

/* ioasid_space_detach() - See ioasid.h. */
int ioasid_space_detach(struct ioasid *conn, const char *name,
			const char *device, const struct ioasid_terms *terms,
			struct ioasid_space **ret, struct ioasid_error *err)
{
	Ioasid__V1__DetachDeviceRequest request =
		IOASID__V1__DETACH_DEVICE_REQUEST__INIT;

	request.name = (char *)name;
	request.device = (char *)device;
	wish_terms(&request.base, terms);
	return space_call(conn, "Spaces/DetachDevice", &request.base, ret, err);
}
