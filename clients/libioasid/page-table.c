/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table.c - page tables of hold leases, as the daemon has them
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "ioasid/v1/page_table.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"
#include "libioasid/wish.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

typedef Ioasid__V1__PageTable table_msg;
typedef Ioasid__V1__CreatePageTableRequest create_msg;
typedef Ioasid__V1__RegisterPageTableRequest register_msg;
typedef Ioasid__V1__CreatePageTableRequest__LabelsEntry create_label;
typedef Ioasid__V1__RegisterPageTableRequest__LabelsEntry register_label;

/* --- objects --- */

/**
 * struct table_box - A page table, and what its strings lie in
 * @pub:	What the caller has; first, so that it is the box's address
 * @msg:	Owner of the strings
 * @bindings:	What @pub.bindings points to
 * @labels:	What @pub.labels points to
 */
struct table_box {
	struct ioasid_page_table pub;
	table_msg *msg;
	struct ioasid_binding *bindings;
	struct ioasid_label *labels;
};

/* ioasid_page_table_free() - See ioasid.h. */
struct ioasid_page_table *ioasid_page_table_free(struct ioasid_page_table *table)
{
	struct table_box *box = (struct table_box *)table;

	if (box) {
		free(box->bindings);
		free(box->labels);
		(void)message_free(box->msg);
		free(box);
	}
	return NULL;
}

/* flags_of() - What it can, as IOASID_TABLE_* */
static uint32_t flags_of(const table_msg *msg)
{
	return (msg->nest_parent ? IOASID_TABLE_NEST_PARENT : 0) |
	       (msg->dirty_tracking ? IOASID_TABLE_DIRTY : 0) |
	       (msg->fault_queue ? IOASID_TABLE_FAULTS : 0) |
	       (msg->pasid ? IOASID_TABLE_PASID : 0);
}

/**
 * fill() - Fill in a page table
 * @box:	Its arrays are there
 */
static void fill(struct table_box *box, const table_msg *msg)
{
	struct ioasid_page_table *pub = &box->pub;

	pub->name = msg->name;
	pub->revision = msg->revision;
	pub->etag = msg->etag;
	pub->lease = msg->lease;
	pub->parent = msg->parent;
	pub->device = msg->device;
	pub->flags = flags_of(msg);
	pub->data_type = msg->data_type;
	pub->registered = msg->registered;
	pub->dirty_on = msg->dirty_tracking_on;
	pub->kernel_id = msg->kernel_id;
	pub->created_us = object_microseconds(msg->created);
	for (size_t i = 0; i < msg->n_bindings; i++)
		box->bindings[i] = (struct ioasid_binding){
			.device = msg->bindings[i]->device,
			.pasid = msg->bindings[i]->pasid,
		};
	for (size_t i = 0; i < msg->n_labels; i++)
		box->labels[i] = (struct ioasid_label){
			.key = msg->labels[i]->key,
			.value = msg->labels[i]->value,
		};
	pub->n_bindings = msg->n_bindings;
	pub->bindings = box->bindings;
	pub->n_labels = msg->n_labels;
	pub->labels = box->labels;
}

/**
 * object_table() - Make a page table of its message
 * @msg:	Set to NULL once the object owns it
 *
 * Return: the object; NULL without memory.
 */
static struct ioasid_page_table *object_table(table_msg **msg)
{
	struct table_box *box = calloc(1, sizeof(*box));

	if (!box)
		return NULL;
	box->bindings = calloc((*msg)->n_bindings + 1, sizeof(*box->bindings));
	box->labels = calloc((*msg)->n_labels + 1, sizeof(*box->labels));
	if (!box->bindings || !box->labels)
		return ioasid_page_table_free((void *)box);
	fill(box, *msg);
	box->msg = TAKE_PTR(*msg);
	return (void *)box; /* whose first member it is */
}

/* ioasid_page_table_list_free() - See ioasid.h. */
struct ioasid_page_table_list *
ioasid_page_table_list_free(struct ioasid_page_table_list *list)
{
	if (list) {
		for (size_t i = 0; i < list->n; i++)
			(void)ioasid_page_table_free(list->items[i]);
		free(list->items);
		free(list);
	}
	return NULL;
}

/**
 * list_new() - Make a list of its reply
 * @reply:	The reply; its page tables pass to the list
 *
 * Return: the list; NULL without memory.
 */
static struct ioasid_page_table_list *
list_new(Ioasid__V1__ListPageTablesResponse *reply)
{
	struct ioasid_page_table_list *list = calloc(1, sizeof(*list));

	if (!list)
		return NULL;
	list->revision = reply->revision;
	list->items = calloc(reply->n_page_tables + 1, sizeof(*list->items));
	if (!list->items)
		return ioasid_page_table_list_free(list);
	for (size_t i = 0; i < reply->n_page_tables; i++) {
		list->items[list->n++] = object_table(&reply->page_tables[i]);
		if (!list->items[i])
			return ioasid_page_table_list_free(list);
	}
	return list;
}

/* --- reading and making --- */

/* ioasid_page_table_list() - See ioasid.h. */
int ioasid_page_table_list(struct ioasid *conn, const char *lease,
			   struct ioasid_page_table_list **ret,
			   struct ioasid_error *err)
{
	Ioasid__V1__ListPageTablesRequest request =
		IOASID__V1__LIST_PAGE_TABLES_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_page_table_list *list;
	int r;

	request.lease = (char *)(lease ?: "");
	r = channel_list(conn, "PageTables/ListPageTables", &request.base,
			 &ioasid__v1__list_page_tables_response__descriptor,
			 &reply, err);
	if (r < 0)
		return r;
	list = list_new((Ioasid__V1__ListPageTablesResponse *)reply);
	if (!list)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = list;
	return 0;
}

/**
 * table_call() - Call a method that answers with a page table
 * @method:	"PageTables/GetPageTable"
 * @request:	Its request message
 * @ret:	The page table; may be NULL
 *
 * Return: see ioasid.h.
 */
static int table_call(struct ioasid *conn, const char *method,
		      const ProtobufCMessage *request,
		      struct ioasid_page_table **ret, struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_page_table *table;
	int r;

	r = channel_call(conn, method, request,
			 &ioasid__v1__page_table__descriptor, &reply, err);
	if (r < 0 || !ret)
		return r;
	table = object_table((table_msg **)&reply);
	if (!table)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = table;
	return 0;
}

/* ioasid_page_table_get() - See ioasid.h. */
int ioasid_page_table_get(struct ioasid *conn, const char *name,
			  struct ioasid_page_table **ret,
			  struct ioasid_error *err)
{
	Ioasid__V1__GetPageTableRequest request =
		IOASID__V1__GET_PAGE_TABLE_REQUEST__INIT;

	request.name = (char *)name;
	return table_call(conn, "PageTables/GetPageTable", &request.base, ret,
			  err);
}

/**
 * set_type() - Say what a guest's page table is
 */
static void set_type(create_msg *request,
		     const struct ioasid_page_table_wish *wish)
{
	if (wish->data_type == IOASID__V1__PAGE_TABLE_TYPE__PAGE_TABLE_TYPE_VTD_S1 ||
	    wish->data_type ==
		    IOASID__V1__PAGE_TABLE_TYPE__PAGE_TABLE_TYPE_ARM_SMMUV3) {
		request->type_case =
			IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_KNOWN_TYPE;
		request->known_type =
			(Ioasid__V1__PageTableType)wish->data_type;
	} else if (wish->data_type) {
		request->type_case =
			IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_TYPE_NUMBER;
		request->type_number = wish->data_type;
	}
	request->data.data = (uint8_t *)wish->data;
	request->data.len = wish->data_size;
}

/**
 * create() - Have a page table made
 */
static int create(struct ioasid *conn, const char *lease,
		  const struct ioasid_page_table_wish *wish,
		  const struct ioasid_terms *terms,
		  struct ioasid_page_table **ret, struct ioasid_error *err)
{
	create_msg request = IOASID__V1__CREATE_PAGE_TABLE_REQUEST__INIT;
	create_label labels[IOASID_MAX_LABELS], *pointers[IOASID_MAX_LABELS];

	for (size_t i = 0; i < wish->n_labels; i++) {
		ioasid__v1__create_page_table_request__labels_entry__init(
			&labels[i]);
		labels[i].key = (char *)wish->labels[i].key;
		labels[i].value = (char *)wish->labels[i].value;
		pointers[i] = &labels[i];
	}
	request.labels = pointers;
	request.n_labels = wish->n_labels;
	request.lease = (char *)lease;
	request.parent = (char *)wish->parent;
	request.device = (char *)wish->device;
	request.nest_parent = wish->flags & IOASID_TABLE_NEST_PARENT;
	request.dirty_tracking = wish->flags & IOASID_TABLE_DIRTY;
	request.pasid = wish->flags & IOASID_TABLE_PASID;
	request.fault_queue = wish->flags & IOASID_TABLE_FAULTS;
	set_type(&request, wish);
	wish_terms(&request.base, terms);
	return table_call(conn, "PageTables/CreatePageTable", &request.base,
			  ret, err);
}

/**
 * announce() - Tell of a page table that its holder has made
 */
static int announce(struct ioasid *conn, const char *lease,
		    const struct ioasid_page_table_wish *wish,
		    const struct ioasid_terms *terms,
		    struct ioasid_page_table **ret, struct ioasid_error *err)
{
	register_msg request = IOASID__V1__REGISTER_PAGE_TABLE_REQUEST__INIT;
	register_label labels[IOASID_MAX_LABELS], *pointers[IOASID_MAX_LABELS];

	for (size_t i = 0; i < wish->n_labels; i++) {
		ioasid__v1__register_page_table_request__labels_entry__init(
			&labels[i]);
		labels[i].key = (char *)wish->labels[i].key;
		labels[i].value = (char *)wish->labels[i].value;
		pointers[i] = &labels[i];
	}
	request.labels = pointers;
	request.n_labels = wish->n_labels;
	request.lease = (char *)lease;
	request.kernel_id = wish->kernel_id;
	request.parent = (char *)wish->parent;
	request.device = (char *)wish->device;
	request.nest_parent = wish->flags & IOASID_TABLE_NEST_PARENT;
	request.dirty_tracking = wish->flags & IOASID_TABLE_DIRTY;
	request.pasid = wish->flags & IOASID_TABLE_PASID;
	request.data_type = wish->data_type;
	wish_terms(&request.base, terms);
	return table_call(conn, "PageTables/RegisterPageTable", &request.base,
			  ret, err);
}

/* ioasid_page_table_create() - See ioasid.h. */
int ioasid_page_table_create(struct ioasid *conn, const char *lease,
			     const struct ioasid_page_table_wish *wish,
			     const struct ioasid_terms *terms,
			     struct ioasid_page_table **ret,
			     struct ioasid_error *err)
{
	if (wish->n_labels > IOASID_MAX_LABELS)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a page table has at most %d labels, not %zu",
				IOASID_MAX_LABELS, wish->n_labels);
	return wish->kernel_id ? announce(conn, lease, wish, terms, ret, err) :
				 create(conn, lease, wish, terms, ret, err);
}

/* ioasid_page_table_delete() - See ioasid.h. */
int ioasid_page_table_delete(struct ioasid *conn, const char *name,
			     const struct ioasid_terms *terms,
			     struct ioasid_page_table **ret,
			     struct ioasid_error *err)
{
	Ioasid__V1__DeletePageTableRequest request =
		IOASID__V1__DELETE_PAGE_TABLE_REQUEST__INIT;

	request.name = (char *)name;
	wish_terms(&request.base, terms);
	return table_call(conn, "PageTables/DeletePageTable", &request.base,
			  ret, err);
}

/* ioasid_page_table_bind() - See ioasid.h. */
int ioasid_page_table_bind(struct ioasid *conn, const char *name,
			   const char *device, uint32_t pasid,
			   const struct ioasid_terms *terms,
			   struct ioasid_page_table **ret,
			   struct ioasid_error *err)
{
	Ioasid__V1__BindDeviceRequest request =
		IOASID__V1__BIND_DEVICE_REQUEST__INIT;

	request.name = (char *)name;
	request.device = (char *)device;
	request.pasid = pasid;
	wish_terms(&request.base, terms);
	return table_call(conn, "PageTables/BindDevice", &request.base, ret,
			  err);
}

/* ioasid_page_table_unbind() - See ioasid.h. */
int ioasid_page_table_unbind(struct ioasid *conn, const char *name,
			     const char *device, uint32_t pasid,
			     const struct ioasid_terms *terms,
			     struct ioasid_page_table **ret,
			     struct ioasid_error *err)
{
	Ioasid__V1__UnbindDeviceRequest request =
		IOASID__V1__UNBIND_DEVICE_REQUEST__INIT;

	request.name = (char *)name;
	request.device = (char *)device;
	request.pasid = pasid;
	wish_terms(&request.base, terms);
	return table_call(conn, "PageTables/UnbindDevice", &request.base, ret,
			  err);
}

/* --- at work --- */

/* ioasid_page_table_invalidate() - See ioasid.h. */
int ioasid_page_table_invalidate(struct ioasid *conn, const char *name,
				 uint32_t type, const void *entries,
				 uint32_t entry_size, uint32_t n,
				 struct ioasid_error *err)
{
	Ioasid__V1__InvalidatePageTableRequest request =
		IOASID__V1__INVALIDATE_PAGE_TABLE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	int r;

	request.name = (char *)name;
	request.data_type = type;
	request.entries.data = (uint8_t *)entries;
	request.entries.len = (size_t)entry_size * n;
	request.entry_size = entry_size;
	r = channel_call(conn, "PageTables/InvalidatePageTable", &request.base,
			 &ioasid__v1__invalidate_page_table_response__descriptor,
			 &reply, err);
	if (r < 0)
		return r;
	if (((Ioasid__V1__InvalidatePageTableResponse *)reply)->done != n)
		return channel_broken(conn, "a success of fewer entries than were sent",
				      err);
	return 0;
}

/* ioasid_page_table_track() - See ioasid.h. */
int ioasid_page_table_track(struct ioasid *conn, const char *name, bool on,
			    const struct ioasid_terms *terms,
			    struct ioasid_page_table **ret,
			    struct ioasid_error *err)
{
	Ioasid__V1__SetDirtyTrackingRequest request =
		IOASID__V1__SET_DIRTY_TRACKING_REQUEST__INIT;

	request.name = (char *)name;
	request.on = on;
	wish_terms(&request.base, terms);
	return table_call(conn, "PageTables/SetDirtyTracking", &request.base,
			  ret, err);
}

/**
 * take_bits() - Read an answer's bits out of its memfd
 * @request:	What was asked for
 * @reply:	The answer
 * @bitmap:	Room for all that was asked for
 *
 * Return: words of what is wrong with the answer; NULL if nothing is.
 */
static const char *take_bits(const Ioasid__V1__GetDirtyBitmapRequest *request,
			     const Ioasid__V1__GetDirtyBitmapResponse *reply,
			     int fd, uint64_t *bitmap)
{
	uint64_t pages = reply->length / request->page_size, size;
	bool last = reply->length == request->length;

	size = pages / 64 * 8 + (pages % 64 ? 8 : 0);
	if (!pages || reply->length % request->page_size ||
	    reply->length > request->length)
		return "a bitmap of another range than was asked for";
	/* What is read next begins with a word of its own. */
	if (!last && (pages % 64 ||
		      reply->next_iova != request->iova + reply->length))
		return "a bitmap that goes on somewhere else";
	if (last && reply->next_iova)
		return "a bitmap that goes on behind its end";
	if (reply->memfd_size != size ||
	    pread(fd, bitmap, size, 0) != (ssize_t)size)
		return "a bitmap that is not as long as its range";
	return NULL;
}

/**
 * read_some() - Read what comes at once
 * @request:	Of what is left; moved on, its length is 0 at the end
 * @inout_bitmap: Likewise
 */
static int read_some(struct ioasid *conn,
		     Ioasid__V1__GetDirtyBitmapRequest *request,
		     uint64_t **inout_bitmap, struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *message = NULL;
	const Ioasid__V1__GetDirtyBitmapResponse *reply;
	struct channel_fds fds;
	const char *wrong;
	int r;

	r = channel_call_fds(conn, "PageTables/GetDirtyBitmap", &request->base,
			     &ioasid__v1__get_dirty_bitmap_response__descriptor,
			     &fds, &message, err);
	if (r < 0)
		return r;
	reply = (const Ioasid__V1__GetDirtyBitmapResponse *)message;
	wrong = fds.n == 1 ? take_bits(request, reply, fds.fds[0],
				       *inout_bitmap) :
			     "a bitmap without its memfd";
	channel_fds_close(&fds);
	if (wrong)
		return channel_broken(conn, wrong, err);
	*inout_bitmap += reply->length / request->page_size / 64;
	request->iova += reply->length;
	request->length -= reply->length;
	return 0;
}

/* ioasid_page_table_dirty() - See ioasid.h. */
int ioasid_page_table_dirty(struct ioasid *conn, const char *name,
			    uint64_t iova, uint64_t length, uint64_t page_size,
			    bool keep, uint64_t *bitmap,
			    struct ioasid_error *err)
{
	Ioasid__V1__GetDirtyBitmapRequest request =
		IOASID__V1__GET_DIRTY_BITMAP_REQUEST__INIT;
	int r;

	if (!page_size || !length || length % page_size)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a range is some pages, not %llu bytes of pages of %llu",
				(unsigned long long)length,
				(unsigned long long)page_size);
	request.name = (char *)name;
	request.iova = iova;
	request.length = length;
	request.page_size = page_size;
	request.keep = keep;
	request.as_memfd = true;
	do
		r = read_some(conn, &request, &bitmap, err);
	while (r == 0 && request.length);
	return r;
}

/* ioasid_page_table_open_faults() - See ioasid.h. */
int ioasid_page_table_open_faults(struct ioasid *conn, const char *name,
				  int *ret_fd, struct ioasid_error *err)
{
	Ioasid__V1__OpenFaultQueueRequest request =
		IOASID__V1__OPEN_FAULT_QUEUE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *message = NULL;
	struct channel_fds fds;
	int r;

	request.name = (char *)name;
	r = channel_call_fds(conn, "PageTables/OpenFaultQueue", &request.base,
			     &ioasid__v1__page_table__descriptor, &fds,
			     &message, err);
	if (r < 0)
		return r;
	if (fds.n != 1) {
		channel_fds_close(&fds);
		return channel_broken(conn, "a fault queue without its descriptor",
				      err);
	}
	*ret_fd = fds.fds[0];
	return 0;
}
