/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching with libioasid, against a daemon that says what it should, and what it
 * should not: changes are read in order, nothing of them leaks, and a connection
 * whose stream is in doubt is closed.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ioasid/v1/event.pb-c.h"
#include "test-client-fake.h"

#include "libioasid/channel.c"
#include "libioasid/connect.c"
#include "libioasid/device.c"
#include "libioasid/fail.c"
#include "libioasid/lease.c"
#include "libioasid/list.c"
#include "libioasid/message.c"
#include "libioasid/operation.c"
#include "libioasid/space.c"
#include "libioasid/watch.c"
#include "libioasid/wish.c"

#define DEVICE "devices/pci-0000-3b-00.0"

static int server;		/* the fake daemon's end */
static struct ioasid *conn;	/* ours */
static struct ioasid_error err;

static int setup(void **state)
{
	int sock[2];

	memset(&err, 0, sizeof(err));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	server = sock[0];
	if (fake_hello(server, "ioasid.v1") < 0)
		return -1;
	return channel_start(sock[1], -1, &conn, &err);
}

static int teardown(void **state)
{
	conn = ioasid_disconnect(conn);
	server = fd_close(server);
	return 0;
}

/**
 * start() - Begin a watch, and see that it was asked for
 */
static void start(void)
{
	const char *const collections[] = { "devices", "leases" };
	Ioasid__V1__WatchEventsRequest *asked;
	char method[128];
	uint64_t id;

	assert_int_equal(ioasid_watch_start(conn, 70, collections, 2, &err),
			 0);
	asked = fake_receive(server,
			     &ioasid__v1__watch_events_request__descriptor,
			     &id, method);
	assert_non_null(asked);
	assert_string_equal(method, "Events/WatchEvents");
	assert_int_equal(id, 1);
	assert_int_equal(asked->revision, 70);
	assert_int_equal(asked->n_collections, 2);
	assert_string_equal(asked->collections[1], "leases");
	ioasid__v1__watch_events_request__free_unpacked(asked, NULL);
}

/**
 * send_item() - Send an item with any payload
 * @id:		Of the stream
 */
static void send_item(uint64_t id, void *payload, size_t size)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Item item = IOASID__V1__ITEM__INIT;

	item.payload.data = payload;
	item.payload.len = size;
	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_ITEM;
	envelope.item = &item;
	assert_int_equal(fake_send(server, &envelope, NULL, 0), 0);
}

/**
 * send_change() - Send a change
 * @change:	Its revision, name and object
 */
static void send_change(Ioasid__V1__Change *change)
{
	uint8_t payload[1024];

	send_item(1, payload, ioasid__v1__change__pack(change, payload));
}

/* send_removed() - Send that the device was removed. */
static void send_removed(uint64_t revision)
{
	Ioasid__V1__Change change = IOASID__V1__CHANGE__INIT;

	change.revision = revision;
	change.name = (char *)DEVICE;
	change.removed = true;
	send_change(&change);
}

/* send_error() - Send an error to the stream. */
static void send_error(const char *id)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	error.id = (char *)id;
	assert_int_equal(fake_error(server, 1, &error, NULL, 0), 0);
}

/* next_is() - The next change has this revision, and is freed. */
static void next_is(uint64_t revision)
{
	struct ioasid_change *change = NULL;

	assert_int_equal(ioasid_watch_next(conn, 1000, &change, &err), 0);
	assert_int_equal(change->revision, revision);
	assert_null(ioasid_change_free(change));
}

static void changes_bring_their_objects(void **state)
{
	Ioasid__V1__Change change = IOASID__V1__CHANGE__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Ioasid__V1__Device device;
	Ioasid__V1__PciDetails pci;
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	Ioasid__V1__Operation op = IOASID__V1__OPERATION__INIT;
	Ioasid__V1__Group group = IOASID__V1__GROUP__INIT;
	struct ioasid_change *got;

	start();
	fake_device(&device, &pci, DEVICE, "0000:3b:00.0");
	at.seconds = 5;
	at.nanos = 7000;
	change.at = &at;
	change.revision = 71;
	change.name = (char *)DEVICE;
	change.object_case = IOASID__V1__CHANGE__OBJECT_DEVICE;
	change.device = &device;
	send_change(&change);
	assert_int_equal(ioasid_watch_next(conn, -1, &got, &err), 0);
	assert_int_equal(got->at_us, 5000007);
	assert_string_equal(got->name, DEVICE);
	assert_string_equal(got->device->bdf, "0000:3b:00.0");
	assert_false(got->removed);
	assert_true(!got->lease && !got->operation);
	ioasid_change_free(got);

	lease.name = change.name = (char *)"leases/1";
	change.object_case = IOASID__V1__CHANGE__OBJECT_LEASE;
	change.lease = &lease;
	send_change(&change);
	assert_int_equal(ioasid_watch_next(conn, -1, &got, &err), 0);
	assert_string_equal(got->lease->name, "leases/1");
	ioasid_change_free(got);

	op.kind = (char *)"prepare";
	change.object_case = IOASID__V1__CHANGE__OBJECT_OPERATION;
	change.operation = &op;
	send_change(&change);
	assert_int_equal(ioasid_watch_next(conn, -1, &got, &err), 0);
	assert_string_equal(got->operation->kind, "prepare");
	ioasid_change_free(got);

	change.object_case = IOASID__V1__CHANGE__OBJECT_GROUP;
	change.group = &group;
	send_change(&change);
	assert_int_equal(ioasid_watch_next(conn, -1, &got, &err), 0);
	assert_true(!got->device && !got->lease && !got->operation);
	ioasid_change_free(got);
}

static void no_change_yet_is_no_failure(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct ioasid_change *change = NULL;

	start();
	assert_int_equal(ioasid_watch_next(conn, 0, &change, &err), -EAGAIN);
	assert_int_equal(ioasid_watch_next(conn, 30, &change, &err), -EAGAIN);
	assert_null(change);
	assert_string_equal(err.id, "");
	send_removed(72);
	p.fd = ioasid_watch_fd(conn);
	assert_int_equal(poll(&p, 1, 1000), 1);
	next_is(72);
}

static void a_watch_takes_its_connection(void **state)
{
	struct ioasid_device_list *list;

	start();
	assert_int_equal(ioasid_device_list(conn, false, &list, &err), -EBUSY);
	assert_int_equal(ioasid_watch_start(conn, 0, NULL, 0, &err), -EBUSY);
	send_removed(72);
	next_is(72);
}

static void the_daemons_error_ends_it_and_not_the_connection(void **state)
{
	struct ioasid_change *change = NULL;

	start();
	send_removed(72);
	send_error("watch.slow");
	next_is(72);
	assert_int_equal(ioasid_watch_next(conn, -1, &change, &err),
			 -EREMOTEIO);
	assert_string_equal(err.id, "watch.slow");
	assert_int_equal(ioasid_watch_next(conn, -1, &change, &err), -EINVAL);
	assert_null(change);
	assert_int_equal(ioasid_watch_start(conn, 72, NULL, 0, &err), 0);
}

static void stopping_passes_over_what_is_on_its_way(void **state)
{
	Ioasid__V1__ListDevicesResponse reply =
		IOASID__V1__LIST_DEVICES_RESPONSE__INIT;
	struct ioasid_device_list *list;

	assert_int_equal(ioasid_watch_stop(conn, &err), 0);
	start();
	send_removed(72);
	send_removed(73);
	send_error("request.cancelled");
	assert_int_equal(ioasid_watch_stop(conn, &err), 0);
	reply.revision = 99;
	assert_int_equal(fake_reply(server, 2, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_device_list(conn, false, &list, &err), 0);
	assert_int_equal(list->revision, 99);
	ioasid_device_list_free(list);
}

/* refused() - The next is a breach of the protocol, and the end. */
static void refused(void)
{
	struct ioasid_change *change = NULL;

	assert_int_equal(ioasid_watch_next(conn, 1000, &change, &err),
			 -EPROTO);
	assert_string_equal(err.id, IOASID_ERROR_PROTOCOL);
	assert_null(change);
	assert_int_equal(ioasid_watch_fd(conn), -1);
	assert_int_equal(ioasid_watch_next(conn, 1000, &change, &err),
			 -ENOTCONN);
}

static void an_item_of_another_stream_is_refused(void **state)
{
	start();
	send_item(2, "", 0);
	refused();
}

static void an_item_that_cannot_be_read_is_refused(void **state)
{
	start();
	send_item(1, "\xff\xff", 2);
	refused();
}

static void a_reply_in_a_stream_is_refused(void **state)
{
	start();
	assert_int_equal(fake_reply_bytes(server, 1, "", 0, 0, NULL, 0), 0);
	refused();
}

static void the_end_of_the_connection_is_told(void **state)
{
	struct ioasid_change *change = NULL;

	start();
	send_removed(72);
	server = fd_close(server);
	next_is(72);
	assert_int_equal(ioasid_watch_next(conn, -1, &change, &err),
			 -ECONNRESET);
	assert_string_equal(err.id, IOASID_ERROR_CLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_bring_their_objects),
		TEST(no_change_yet_is_no_failure),
		TEST(a_watch_takes_its_connection),
		TEST(the_daemons_error_ends_it_and_not_the_connection),
		TEST(stopping_passes_over_what_is_on_its_way),
		TEST(an_item_of_another_stream_is_refused),
		TEST(an_item_that_cannot_be_read_is_refused),
		TEST(a_reply_in_a_stream_is_refused),
		TEST(the_end_of_the_connection_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
