/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-page-table.c - page tables with libioasid, against a daemon that
 * says what it should and what it should not
 *
 * As in test-client-space.c the fake daemon's words lie in the socket before the
 * call that reads them; after each test there are as many descriptors as before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test-client-fake.h"

/* The library itself. */
#include "libioasid/channel.c"
#include "libioasid/connect.c"
#include "libioasid/fail.c"
#include "libioasid/list.c"
#include "libioasid/message.c"
#include "libioasid/page-table.c"
#include "libioasid/wish.c"

#define LEASE "leases/01k8aaaaaaaaaaaaaaaaaaaaaa"
#define SPACE "spaces/01k8cccccccccccccccccccccc"
#define TABLE "pageTables/01k8eeeeeeeeeeeeeeeeeeeeee"
#define DEVICE "devices/pci-0000-3b-00.0"

static int server;		/* the fake daemon's end */
static struct ioasid *conn;	/* ours */
static int before;		/* descriptors open when the test began */
static struct ioasid_error err;
static struct ioasid_page_table *table;
static char method[128];	/* of the request received last */

/* Of operation.c, which has all that times need. */
int64_t object_microseconds(const Google__Protobuf__Timestamp *t)
{
	return t ? t->seconds * 1000000 : 0;
}

static int setup(void **state)
{
	int sock[2];

	memset(&err, 0, sizeof(err));
	before = fd_count();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	server = sock[0];
	if (fake_hello(server, "ioasid.v1") < 0)
		return -1;
	return channel_start(sock[1], -1, &conn, &err);
}

static int teardown(void **state)
{
	table = ioasid_page_table_free(table);
	conn = ioasid_disconnect(conn);
	server = fd_close(server);
	return fd_count() != before;
}

/* Answer the request with this id with a page table that has all there is. */
static void send_table(uint64_t id, int fd)
{
	Ioasid__V1__PageTable msg = IOASID__V1__PAGE_TABLE__INIT;
	Ioasid__V1__Binding binding = IOASID__V1__BINDING__INIT,
			    *bindings = &binding;
	Ioasid__V1__PageTable__LabelsEntry label =
		IOASID__V1__PAGE_TABLE__LABELS_ENTRY__INIT, *labels = &label;

	binding.device = (char *)DEVICE;
	binding.pasid = 7;
	label.key = (char *)"vm";
	label.value = (char *)"one";
	msg.name = (char *)TABLE;
	msg.revision = 9;
	msg.etag = (char *)"e9";
	msg.lease = (char *)LEASE;
	msg.parent = (char *)SPACE;
	msg.device = (char *)DEVICE;
	msg.dirty_tracking = msg.pasid = msg.dirty_tracking_on = true;
	msg.data_type = 3;
	msg.kernel_id = 5;
	msg.bindings = &bindings;
	msg.labels = &labels;
	msg.n_bindings = msg.n_labels = 1;
	assert_int_equal(fake_reply(server, id, &msg.base, fd >= 0, &fd,
				    fd >= 0), 0);
}

/* The request that was made; message_free(). */
static void *received(const ProtobufCMessageDescriptor *type)
{
	void *request;
	uint64_t id;

	request = fake_receive(server, type, &id, method);
	assert_non_null(request);
	return request;
}

static void assert_full(const struct ioasid_page_table *t)
{
	assert_string_equal(t->name, TABLE);
	assert_int_equal(t->revision, 9);
	assert_string_equal(t->etag, "e9");
	assert_string_equal(t->lease, LEASE);
	assert_string_equal(t->parent, SPACE);
	assert_string_equal(t->device, DEVICE);
	assert_int_equal(t->flags, IOASID_TABLE_DIRTY | IOASID_TABLE_PASID);
	assert_int_equal(t->data_type, 3);
	assert_true(t->dirty_on && !t->registered);
	assert_int_equal(t->kernel_id, 5);
	assert_int_equal(t->n_bindings, 1);
	assert_string_equal(t->bindings[0].device, DEVICE);
	assert_int_equal(t->bindings[0].pasid, 7);
	assert_int_equal(t->n_labels, 1);
	assert_string_equal(t->labels[0].key, "vm");
	assert_string_equal(t->labels[0].value, "one");
}

static const struct ioasid_terms terms = { "e9", "again", true };

static void what_is_to_be_made_is_asked_for_by_type(void **state)
{
	const struct ioasid_label label = { "vm", "one" };
	struct ioasid_page_table_wish wish = {
		.parent = TABLE, .device = DEVICE, .data_type = 1,
		.data = "0123456789", .data_size = 10,
		.flags = IOASID_TABLE_PASID | IOASID_TABLE_FAULTS,
		.labels = &label, .n_labels = 1,
	};
	create_msg *request;

	send_table(1, -1);
	assert_int_equal(ioasid_page_table_create(conn, LEASE, &wish, &terms,
						  &table, &err), 0);
	assert_full(table);
	request = received(&ioasid__v1__create_page_table_request__descriptor);
	assert_string_equal(method, "PageTables/CreatePageTable");
	assert_string_equal(request->lease, LEASE);
	assert_string_equal(request->parent, TABLE);
	assert_string_equal(request->device, DEVICE);
	assert_int_equal(request->type_case,
			 IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_KNOWN_TYPE);
	assert_int_equal(request->known_type, 1);
	assert_int_equal(request->data.len, 10);
	assert_true(request->pasid && request->fault_queue &&
		    !request->nest_parent && !request->dirty_tracking);
	assert_int_equal(request->n_labels, 1);
	assert_string_equal(request->labels[0]->key, "vm");
	assert_string_equal(request->etag, "e9");
	assert_string_equal(request->request_id, "again");
	assert_true(request->dry_run);
	(void)message_free(request);

	/* By number, what is not known; nothing, for a host's. */
	wish.data_type = 77;
	send_table(2, -1);
	assert_int_equal(ioasid_page_table_create(conn, LEASE, &wish, NULL,
						  NULL, &err), 0);
	request = received(&ioasid__v1__create_page_table_request__descriptor);
	assert_int_equal(request->type_case,
			 IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_TYPE_NUMBER);
	assert_int_equal(request->type_number, 77);
	(void)message_free(request);
	wish = (struct ioasid_page_table_wish){ .parent = SPACE,
						.device = DEVICE };
	send_table(3, -1);
	assert_int_equal(ioasid_page_table_create(conn, LEASE, &wish, NULL,
						  NULL, &err), 0);
	request = received(&ioasid__v1__create_page_table_request__descriptor);
	assert_int_equal(request->type_case,
			 IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE__NOT_SET);
	(void)message_free(request);

	wish.n_labels = IOASID_MAX_LABELS + 1;
	assert_int_equal(ioasid_page_table_create(conn, LEASE, &wish, NULL,
						  NULL, &err), -EINVAL);
}

static void what_was_made_is_registered(void **state)
{
	const struct ioasid_page_table_wish wish = {
		.parent = SPACE, .device = DEVICE, .kernel_id = 12,
		.flags = IOASID_TABLE_NEST_PARENT,
	};
	register_msg *request;

	send_table(1, -1);
	assert_int_equal(ioasid_page_table_create(conn, LEASE, &wish, NULL,
						  NULL, &err), 0);
	request = received(&ioasid__v1__register_page_table_request__descriptor);
	assert_string_equal(method, "PageTables/RegisterPageTable");
	assert_int_equal(request->kernel_id, 12);
	assert_true(request->nest_parent && !request->pasid);
	(void)message_free(request);
}

static void devices_are_bound_by_name_and_pasid(void **state)
{
	Ioasid__V1__BindDeviceRequest *bind;
	Ioasid__V1__UnbindDeviceRequest *unbind;

	send_table(1, -1);
	assert_int_equal(ioasid_page_table_bind(conn, TABLE, DEVICE, 9, NULL,
						&table, &err), 0);
	bind = received(&ioasid__v1__bind_device_request__descriptor);
	assert_string_equal(method, "PageTables/BindDevice");
	assert_string_equal(bind->name, TABLE);
	assert_string_equal(bind->device, DEVICE);
	assert_int_equal(bind->pasid, 9);
	(void)message_free(bind);
	send_table(2, -1);
	assert_int_equal(ioasid_page_table_unbind(conn, TABLE, DEVICE, 0,
						  &terms, NULL, &err), 0);
	unbind = received(&ioasid__v1__unbind_device_request__descriptor);
	assert_string_equal(method, "PageTables/UnbindDevice");
	assert_int_equal(unbind->pasid, 0);
	assert_true(unbind->dry_run);
	(void)message_free(unbind);
}

static void lists_are_of_page_tables(void **state)
{
	Ioasid__V1__ListPageTablesResponse reply =
		IOASID__V1__LIST_PAGE_TABLES_RESPONSE__INIT;
	Ioasid__V1__PageTable one = IOASID__V1__PAGE_TABLE__INIT,
			      *all[] = { &one, &one };
	struct ioasid_page_table_list *list = NULL;

	one.name = (char *)TABLE;
	reply.page_tables = all;
	reply.n_page_tables = 2;
	reply.revision = 77;
	assert_int_equal(fake_reply(server, 1, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_page_table_list(conn, LEASE, &list, &err), 0);
	assert_int_equal(list->n, 2);
	assert_int_equal(list->revision, 77);
	assert_string_equal(list->items[1]->name, TABLE);
	assert_null(ioasid_page_table_list_free(list));
}

/* Answer with a bitmap in a memfd of @size bytes. */
static void send_dirty(uint64_t id, uint64_t length, uint64_t next,
		       uint64_t said, const void *bits, size_t size,
		       bool with_fd)
{
	Ioasid__V1__GetDirtyBitmapResponse reply =
		IOASID__V1__GET_DIRTY_BITMAP_RESPONSE__INIT;
	_cleanup_fd_ int fd = memfd_create("bits", MFD_CLOEXEC);

	assert_int_equal(write(fd, bits, size), (ssize_t)size);
	reply.length = length;
	reply.next_iova = next;
	reply.memfd_size = said;
	assert_int_equal(fake_reply(server, id, &reply.base, with_fd, &fd,
				    with_fd), 0);
}

static void bits_come_in_pieces_and_are_put_together(void **state)
{
	const uint64_t first[2] = { 1, 2 }, second = 5;
	uint64_t bitmap[3] = { 0 };
	Ioasid__V1__GetDirtyBitmapRequest *request;

	/* 130 pages: 128 at once, then 2. */
	send_dirty(1, UINT64_C(128) << 12, UINT64_C(130) << 12, 16, first, 16,
		   true);
	send_dirty(2, UINT64_C(2) << 12, 0, 8, &second, 8, true);
	assert_int_equal(ioasid_page_table_dirty(conn, TABLE, 2 << 12,
						 130 << 12, 4096, true,
						 bitmap, &err), 0);
	assert_int_equal(bitmap[0], 1);
	assert_int_equal(bitmap[1], 2);
	assert_int_equal(bitmap[2], 5);
	(void)message_free(received(
		&ioasid__v1__get_dirty_bitmap_request__descriptor));
	request = received(&ioasid__v1__get_dirty_bitmap_request__descriptor);
	assert_int_equal(request->iova, 130 << 12);
	assert_int_equal(request->length, 2 << 12);
	assert_true(request->keep && request->as_memfd);
	(void)message_free(request);
}

static void a_bitmap_of_something_else_is_not_believed(void **state)
{
	static const struct {
		uint64_t length, next, said;
		size_t size;
		bool fd;
	} lies[] = {
		{ 64 << 12, 0, 8, 8, false },	/* no descriptor */
		{ 64 << 12, 0, 16, 16, true },	/* more than its range */
		{ 64 << 12, 0, 8, 4, true },	/* a memfd that is shorter */
		{ 0, 0, 0, 8, true },		/* nothing: it would not end */
		{ 65 << 12, 0, 16, 16, true },	/* more than was asked for */
		{ 63 << 12, 63 << 12, 8, 8, true }, /* not whole words */
		{ 100, 0, 8, 8, true },		/* not whole pages */
		{ 64 << 12, 4096, 8, 8, true },	/* on behind the end */
	};
	const uint64_t bits[2] = { 0 };
	uint64_t bitmap[2];

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		send_dirty(1, lies[i].length, lies[i].next, lies[i].said, bits,
			   lies[i].size, lies[i].fd);
		assert_int_equal(ioasid_page_table_dirty(
			conn, TABLE, 0, 64 << 12, 4096, false, bitmap, &err),
				 -EPROTO);
		teardown(state);
		assert_int_equal(setup(state), 0);
	}
	assert_int_equal(ioasid_page_table_dirty(conn, TABLE, 0, 4095, 4096,
						 false, bitmap, &err),
			 -EINVAL);
	assert_int_equal(ioasid_page_table_dirty(conn, TABLE, 0, 4096, 0,
						 false, bitmap, &err),
			 -EINVAL);
}

static void a_fault_queue_is_one_descriptor(void **state)
{
	int fd = -1, queue = memfd_create("queue", MFD_CLOEXEC);

	send_table(1, queue);
	fd_close(queue);
	assert_int_equal(ioasid_page_table_open_faults(conn, TABLE, &fd, &err),
			 0);
	assert_true(fd >= 0);
	fd = fd_close(fd);
	send_table(2, -1);
	assert_int_equal(ioasid_page_table_open_faults(conn, TABLE, &fd, &err),
			 -EPROTO);
	assert_int_equal(fd, -1);
}

static void all_entries_are_done_or_it_is_no_success(void **state)
{
	Ioasid__V1__InvalidatePageTableResponse reply =
		IOASID__V1__INVALIDATE_PAGE_TABLE_RESPONSE__INIT;
	Ioasid__V1__InvalidatePageTableRequest *request;
	const uint8_t entries[48] = { 1 };

	reply.done = 2;
	assert_int_equal(fake_reply(server, 1, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_page_table_invalidate(conn, TABLE, 1, entries,
						      24, 2, &err), 0);
	request = received(
		&ioasid__v1__invalidate_page_table_request__descriptor);
	assert_int_equal(request->entries.len, 48);
	assert_int_equal(request->entry_size, 24);
	assert_int_equal(request->data_type, 1);
	(void)message_free(request);
	reply.done = 1;
	assert_int_equal(fake_reply(server, 2, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_page_table_invalidate(conn, TABLE, 1, entries,
						      24, 2, &err), -EPROTO);
}

static void tracking_and_an_end_are_asked_for(void **state)
{
	Ioasid__V1__SetDirtyTrackingRequest *request;

	send_table(1, -1);
	assert_int_equal(ioasid_page_table_track(conn, TABLE, true, NULL, NULL,
						 &err), 0);
	request = received(&ioasid__v1__set_dirty_tracking_request__descriptor);
	assert_true(request->on);
	(void)message_free(request);
	send_table(2, -1);
	assert_int_equal(ioasid_page_table_delete(conn, TABLE, NULL, NULL,
						  &err), 0);
	(void)message_free(received(
		&ioasid__v1__delete_page_table_request__descriptor));
	assert_string_equal(method, "PageTables/DeletePageTable");
	send_table(3, -1);
	assert_int_equal(ioasid_page_table_get(conn, TABLE, &table, &err), 0);
	assert_full(table);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_to_be_made_is_asked_for_by_type),
		TEST(what_was_made_is_registered),
		TEST(devices_are_bound_by_name_and_pasid),
		TEST(lists_are_of_page_tables),
		TEST(bits_come_in_pieces_and_are_put_together),
		TEST(a_bitmap_of_something_else_is_not_believed),
		TEST(a_fault_queue_is_one_descriptor),
		TEST(all_entries_are_done_or_it_is_no_success),
		TEST(tracking_and_an_end_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
