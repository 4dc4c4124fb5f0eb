/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-space.c - hold leases and spaces with libioasid, against a daemon
 * that says what it should and what it should not
 *
 * As in test-client.c the fake daemon's words lie in the socket before the call
 * that reads them; after each test there are as many descriptors as before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test-client-fake.h"

/* The library itself. */
#include "libioasid/channel.c"
#include "libioasid/claim.c"
#include "libioasid/connect.c"
#include "libioasid/fail.c"
#include "libioasid/lease.c"
#include "libioasid/list.c"
#include "libioasid/message.c"
#include "libioasid/space.c"
#include "libioasid/wish.c"

#define LEASE "leases/01k8aaaaaaaaaaaaaaaaaaaaaa"
#define SPACE0 "spaces/01k8cccccccccccccccccccccc"
#define SPACE1 "spaces/01k8dddddddddddddddddddddd"
#define DEVICE0 "devices/pci-0000-3b-00.0"
#define DEVICE1 "devices/pci-0000-3b-00.1"

static int server;		/* the fake daemon's end */
static struct ioasid *conn;	/* ours */
static int before;		/* descriptors open when the test began */
static int memfd[5];		/* an iommufd, two devices, and two more */
static struct ioasid_error err;
static struct ioasid_claim *claim;
static struct ioasid_space *space;
static struct ioasid_lease *lease;
static char method[128];	/* of the request received last */

static int setup(void **state)
{
	int sock[2];

	memset(&err, 0, sizeof(err));
	before = fd_count();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	server = sock[0];
	for (int i = 0; i < 5; i++)
		memfd[i] = memfd_create("device", MFD_CLOEXEC);
	if (fake_hello(server, "ioasid.v1") < 0)
		return -1;
	return channel_start(sock[1], -1, &conn, &err);
}

static int teardown(void **state)
{
	claim = ioasid_claim_free(claim);
	space = ioasid_space_free(space);
	lease = ioasid_lease_free(lease);
	conn = ioasid_disconnect(conn);
	server = fd_close(server);
	for (int i = 0; i < 5; i++)
		memfd[i] = fd_close(memfd[i]);
	return fd_count() != before;
}

/* A space with two of everything. */
struct full_space {
	Ioasid__V1__Space msg;
	Ioasid__V1__Window window[2], *windows[2];
	Ioasid__V1__Attachment attachment[2], *attachments[2];
	Ioasid__V1__IovaRange range[2], *ranges[2];
	Ioasid__V1__Space__LabelsEntry label[2], *labels[2];
	Google__Protobuf__Timestamp created;
};

static void full_space_init(struct full_space *s, const char *name)
{
	ioasid__v1__space__init(&s->msg);
	google__protobuf__timestamp__init(&s->created);
	for (int i = 0; i < 2; i++) {
		ioasid__v1__window__init(&s->window[i]);
		ioasid__v1__attachment__init(&s->attachment[i]);
		ioasid__v1__iova_range__init(&s->range[i]);
		ioasid__v1__space__labels_entry__init(&s->label[i]);
		s->windows[i] = &s->window[i];
		s->attachments[i] = &s->attachment[i];
		s->ranges[i] = &s->range[i];
		s->labels[i] = &s->label[i];
	}
	s->window[0].last = 0x7fffffff;
	s->window[0].page_sizes = 4096;
	s->window[0].purpose = IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32;
	s->window[1].start = UINT64_C(1) << 59;
	s->window[1].last = UINT64_MAX;
	s->attachment[0].device = (char *)DEVICE0;
	s->attachment[1].device = (char *)DEVICE1;
	s->range[0].last = 0xfedfffff;
	s->range[1].start = 0xfef00000;
	s->range[1].last = UINT64_MAX;
	s->label[0].key = (char *)"vm";
	s->label[0].value = (char *)"one";
	s->label[1].key = (char *)"note";
	s->created.seconds = 1700000000;
	s->created.nanos = 500000000;
	s->msg.name = (char *)name;
	s->msg.revision = 9;
	s->msg.etag = (char *)"e9";
	s->msg.lease = (char *)LEASE;
	s->msg.windows = s->windows;
	s->msg.attachments = s->attachments;
	s->msg.kernel_id = 5;
	s->msg.iova_ranges = s->ranges;
	s->msg.iova_alignment = 4096;
	s->msg.labels = s->labels;
	s->msg.created = &s->created;
	s->msg.n_windows = s->msg.n_attachments = s->msg.n_iova_ranges =
		s->msg.n_labels = 2;
}

/* All that full_space_init() says. */
static void assert_full(const struct ioasid_space *s, const char *name)
{
	assert_string_equal(s->name, name);
	assert_int_equal(s->revision, 9);
	assert_string_equal(s->etag, "e9");
	assert_string_equal(s->lease, LEASE);
	assert_int_equal(s->n_windows, 2);
	assert_true(s->windows[0].start == 0);
	assert_true(s->windows[0].last == 0x7fffffff);
	assert_true(s->windows[0].page_sizes == 4096);
	assert_int_equal(s->windows[0].purpose, IOASID_WINDOW_DMA32);
	assert_true(s->windows[1].start == UINT64_C(1) << 59);
	assert_true(s->windows[1].last == UINT64_MAX);
	assert_int_equal(s->n_attachments, 2);
	assert_string_equal(s->attachments[0].device, DEVICE0);
	assert_string_equal(s->attachments[1].device, DEVICE1);
	assert_int_equal(s->kernel_id, 5);
	assert_int_equal(s->n_iova_ranges, 2);
	assert_true(s->iova_ranges[0].last == 0xfedfffff);
	assert_true(s->iova_ranges[1].start == 0xfef00000);
	assert_true(s->iova_ranges[1].last == UINT64_MAX);
	assert_int_equal(s->iova_alignment, 4096);
	assert_int_equal(s->n_labels, 2);
	assert_string_equal(s->labels[0].key, "vm");
	assert_string_equal(s->labels[0].value, "one");
	assert_string_equal(s->labels[1].key, "note");
	assert_string_equal(s->labels[1].value, "");
	assert_true(s->created_us == 1700000000500000);
}

/* Answer the request with this id with a full space. */
static void send_space(uint64_t id)
{
	struct full_space s;

	full_space_init(&s, SPACE0);
	assert_int_equal(fake_reply(server, id, &s.msg.base, 0, NULL, 0), 0);
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

static void space_tells_all_that_was_sent(void **state)
{
	Ioasid__V1__GetSpaceRequest *request;

	send_space(1);
	assert_int_equal(ioasid_space_get(conn, SPACE0, &space, &err), 0);
	assert_full(space, SPACE0);
	request = received(&ioasid__v1__get_space_request__descriptor);
	assert_string_equal(method, "Spaces/GetSpace");
	assert_string_equal(request->name, SPACE0);
	(void)message_free(request);
}

static void space_without_anything_has_nothing(void **state)
{
	Ioasid__V1__Space msg = IOASID__V1__SPACE__INIT;

	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_space_get(conn, SPACE0, &space, &err), 0);
	assert_string_equal(space->name, "");
	assert_int_equal(space->n_windows, 0);
	assert_int_equal(space->n_attachments, 0);
	assert_int_equal(space->n_iova_ranges, 0);
	assert_int_equal(space->n_labels, 0);
	assert_int_equal(space->kernel_id, 0);
	assert_true(space->created_us == 0);
}

static void send_page(uint64_t id, const char *name, const char *token)
{
	Ioasid__V1__ListSpacesResponse reply =
		IOASID__V1__LIST_SPACES_RESPONSE__INIT;
	struct full_space s;
	Ioasid__V1__Space *spaces[] = { &s.msg };

	full_space_init(&s, name);
	reply.spaces = spaces;
	reply.n_spaces = 1;
	reply.next_page_token = (char *)token;
	reply.revision = 70;
	assert_int_equal(fake_reply(server, id, &reply.base, 0, NULL, 0), 0);
}

static void list_of_a_lease_is_read_to_its_end(void **state)
{
	Ioasid__V1__ListSpacesRequest *request;
	struct ioasid_space_list *list;

	send_page(1, SPACE0, "more");
	send_page(2, SPACE1, "");
	assert_int_equal(ioasid_space_list(conn, LEASE, &list, &err), 0);
	assert_int_equal(list->n, 2);
	assert_int_equal(list->revision, 70);
	assert_full(list->items[0], SPACE0);
	assert_full(list->items[1], SPACE1);
	list = ioasid_space_list_free(list);
	for (int i = 0; i < 2; i++) {
		request = received(
			&ioasid__v1__list_spaces_request__descriptor);
		assert_string_equal(method, "Spaces/ListSpaces");
		assert_string_equal(request->lease, LEASE);
		assert_string_equal(request->page_token, i ? "more" : "");
		(void)message_free(request);
	}
	send_page(3, SPACE0, "");
	assert_int_equal(ioasid_space_list(conn, NULL, &list, &err), 0);
	list = ioasid_space_list_free(list);
}

/* A wish with two windows, one of which may be anywhere. */
static const struct ioasid_window_wish windows[] = {
	{ .size = UINT64_C(1) << 40, .has_start = true,
	  .start = UINT64_C(1) << 59, .page_sizes = 0x201000,
	  .purpose = IOASID_WINDOW_RAM },
	{ .size = 0x1000, .around_reserved = true },
};
static const char *const devices[] = { DEVICE0, DEVICE1 };
static const struct ioasid_label labels[] = { { "vm", "one" } };
static const struct ioasid_space_wish wish = {
	.windows = windows, .n_windows = 2, .devices = devices, .n_devices = 2,
	.labels = labels, .n_labels = 1,
};
static const struct ioasid_terms terms = {
	.etag = "e9", .request_id = "again", .dry_run = true,
};

static void assert_windows(Ioasid__V1__WindowWish *const *w, size_t n)
{
	assert_int_equal(n, 2);
	assert_true(w[0]->size == UINT64_C(1) << 40);
	assert_int_equal(w[0]->place_case,
			 IOASID__V1__WINDOW_WISH__PLACE_START);
	assert_true(w[0]->start == UINT64_C(1) << 59);
	assert_int_equal(w[0]->page_sizes, 0x201000);
	assert_int_equal(w[0]->purpose,
			 IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_RAM);
	assert_false(w[0]->around_reserved);
	assert_int_equal(w[1]->size, 0x1000);
	assert_int_equal(w[1]->place_case,
			 IOASID__V1__WINDOW_WISH__PLACE__NOT_SET);
	assert_true(w[1]->around_reserved);
}

static void assert_wish(const Ioasid__V1__SpaceWish *w)
{
	assert_windows(w->windows, w->n_windows);
	assert_int_equal(w->n_devices, 2);
	assert_string_equal(w->devices[1], DEVICE1);
	assert_int_equal(w->n_labels, 1);
	assert_string_equal(w->labels[0]->key, "vm");
	assert_string_equal(w->labels[0]->value, "one");
}

/* A start of 0 is a start. */
static void window_at_0_is_not_one_anywhere(void **state)
{
	const struct ioasid_window_wish zero = { .size = 1, .has_start = true };
	Ioasid__V1__SetWindowsRequest *request;

	send_space(1);
	assert_int_equal(ioasid_space_set_windows(conn, SPACE0, &zero, 1, NULL,
						  NULL, &err), 0);
	request = received(&ioasid__v1__set_windows_request__descriptor);
	assert_int_equal(request->windows[0]->place_case,
			 IOASID__V1__WINDOW_WISH__PLACE_START);
	assert_true(request->windows[0]->start == 0);
	(void)message_free(request);
}

static void create_says_all_of_it(void **state)
{
	Ioasid__V1__CreateSpaceRequest *request;

	send_space(1);
	assert_int_equal(ioasid_space_create(conn, LEASE, &wish, &terms, &space,
					     &err), 0);
	assert_full(space, SPACE0);
	request = received(&ioasid__v1__create_space_request__descriptor);
	assert_string_equal(method, "Spaces/CreateSpace");
	assert_string_equal(request->lease, LEASE);
	assert_wish(request->space);
	assert_string_equal(request->etag, "e9");
	assert_string_equal(request->request_id, "again");
	assert_true(request->dry_run);
	(void)message_free(request);
}

static void set_windows_says_all_of_it(void **state)
{
	Ioasid__V1__SetWindowsRequest *request;

	send_space(1);
	assert_int_equal(ioasid_space_set_windows(conn, SPACE0, windows, 2,
						  &terms, &space, &err), 0);
	assert_full(space, SPACE0);
	request = received(&ioasid__v1__set_windows_request__descriptor);
	assert_string_equal(method, "Spaces/SetWindows");
	assert_string_equal(request->name, SPACE0);
	assert_windows(request->windows, request->n_windows);
	assert_string_equal(request->etag, "e9");
	assert_string_equal(request->request_id, "again");
	assert_true(request->dry_run);
	(void)message_free(request);
}

static void attach_and_detach_name_both(void **state)
{
	Ioasid__V1__AttachDeviceRequest *attach;
	Ioasid__V1__DetachDeviceRequest *detach;

	send_space(1);
	send_space(2);
	assert_int_equal(ioasid_space_attach(conn, SPACE0, DEVICE0, NULL, NULL,
					     &err), 0);
	assert_int_equal(ioasid_space_detach(conn, SPACE0, DEVICE1, &terms,
					     &space, &err), 0);
	attach = received(&ioasid__v1__attach_device_request__descriptor);
	assert_string_equal(method, "Spaces/AttachDevice");
	assert_string_equal(attach->name, SPACE0);
	assert_string_equal(attach->device, DEVICE0);
	assert_string_equal(attach->etag, "");
	assert_false(attach->dry_run);
	(void)message_free(attach);
	detach = received(&ioasid__v1__detach_device_request__descriptor);
	assert_string_equal(method, "Spaces/DetachDevice");
	assert_string_equal(detach->name, SPACE0);
	assert_string_equal(detach->device, DEVICE1);
	assert_string_equal(detach->etag, "e9");
	assert_string_equal(detach->request_id, "again");
	assert_true(detach->dry_run);
	(void)message_free(detach);
}

static void delete_is_answered_with_what_was(void **state)
{
	Ioasid__V1__DeleteSpaceRequest *request;

	send_space(1);
	assert_int_equal(ioasid_space_delete(conn, SPACE0, &terms, &space,
					     &err), 0);
	assert_full(space, SPACE0);
	request = received(&ioasid__v1__delete_space_request__descriptor);
	assert_string_equal(method, "Spaces/DeleteSpace");
	assert_string_equal(request->name, SPACE0);
	assert_string_equal(request->etag, "e9");
	assert_string_equal(request->request_id, "again");
	assert_true(request->dry_run);
	(void)message_free(request);
}

static void refusal_names_what_is_in_the_way(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	Ioasid__V1__Cause cause = IOASID__V1__CAUSE__INIT, *causes = &cause;

	error.id = (char *)"window.unavailable";
	cause.kind = (char *)"device";
	cause.name = (char *)DEVICE0;
	cause.detail = (char *)"reserves 0xfee00000 to 0xfeefffff";
	error.causes = &causes;
	error.n_causes = 1;
	assert_int_equal(fake_error(server, 1, &error, NULL, 0), 0);
	assert_int_equal(ioasid_space_set_windows(conn, SPACE0, windows, 2,
						  NULL, &space, &err),
			 -EREMOTEIO);
	assert_null(space);
	assert_string_equal(err.id, "window.unavailable");
	assert_int_equal(err.n_causes, 1);
	assert_string_equal(err.causes[0].name, DEVICE0);
	assert_string_equal(err.causes[0].detail,
			    "reserves 0xfee00000 to 0xfeefffff");
	/* The connection goes on. */
	send_space(2);
	assert_int_equal(ioasid_space_get(conn, SPACE0, &space, &err), 0);
}

static void more_than_can_be_is_not_sent(void **state)
{
	struct ioasid_space_wish large = wish;
	struct ioasid_offer offer = {
		.size = sizeof(offer), .devices = devices, .n_devices = 2,
		.mode = IOASID_LEASE_HOLD, .spaces = &large,
	};

	assert_int_equal(ioasid_space_set_windows(conn, SPACE0, windows, 65,
						  NULL, NULL, &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	large.n_windows = 65;
	assert_int_equal(ioasid_space_create(conn, LEASE, &large, NULL, NULL,
					     &err), -EINVAL);
	offer.n_spaces = 1;
	assert_int_equal(ioasid_lease_create(conn, &offer, NULL, &err),
			 -EINVAL);
	large = wish;
	large.n_devices = 65;
	assert_int_equal(ioasid_space_create(conn, LEASE, &large, NULL, NULL,
					     &err), -EINVAL);
	large = wish;
	large.n_labels = 33;
	assert_int_equal(ioasid_space_create(conn, LEASE, &large, NULL, NULL,
					     &err), -EINVAL);
	offer.n_spaces = 17;
	assert_int_equal(ioasid_lease_create(conn, &offer, NULL, &err),
			 -EINVAL);
	assert_int_equal(recv(server, method, 1, MSG_DONTWAIT), -1);
}

static void offer_of_hold_says_its_spaces(void **state)
{
	const struct ioasid_space_wish spaces[] = { { .n_windows = 0 }, wish };
	const struct ioasid_offer offer = {
		.size = sizeof(offer), .devices = devices, .n_devices = 2,
		.mode = IOASID_LEASE_HOLD, .grace_ms = 2500, .spaces = spaces,
		.n_spaces = 2,
	};
	Ioasid__V1__CreateLeaseRequest *request;
	Ioasid__V1__Lease msg = IOASID__V1__LEASE__INIT;

	msg.name = (char *)LEASE;
	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_create(conn, &offer, NULL, &err), 0);
	request = received(&ioasid__v1__create_lease_request__descriptor);
	assert_int_equal(request->mode, IOASID__V1__LEASE__MODE__HOLD);
	assert_int_equal(request->grace_ms, 2500);
	assert_int_equal(request->n_spaces, 2);
	assert_int_equal(request->spaces[0]->n_windows, 0);
	assert_wish(request->spaces[1]);
	(void)message_free(request);
}

/* An offer of a header that knew of no modes is one of transfer. */
static void offer_of_an_older_header_has_no_mode(void **state)
{
	const struct ioasid_offer offer = {
		.size = offsetof(struct ioasid_offer, mode),
		.devices = devices, .n_devices = 2,
		.mode = IOASID_LEASE_HOLD, .grace_ms = 1, .spaces = &wish,
		.n_spaces = 1,
	};
	Ioasid__V1__CreateLeaseRequest *request;
	Ioasid__V1__Lease msg = IOASID__V1__LEASE__INIT;

	msg.name = (char *)LEASE;
	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_create(conn, &offer, NULL, &err), 0);
	request = received(&ioasid__v1__create_lease_request__descriptor);
	assert_int_equal(request->mode, 0);
	assert_int_equal(request->grace_ms, 0);
	assert_int_equal(request->n_spaces, 0);
	(void)message_free(request);
}

/* The reply to a claim of a hold lease, for a test to spoil. */
struct hold_reply {
	Ioasid__V1__ClaimLeaseResponse reply;
	Ioasid__V1__Lease lease;
	struct full_space space[2];
	Ioasid__V1__Space *spaces[2];
	uint32_t ids[3];
};

static void hold_reply_init(struct hold_reply *h)
{
	ioasid__v1__claim_lease_response__init(&h->reply);
	ioasid__v1__lease__init(&h->lease);
	full_space_init(&h->space[0], SPACE0);
	full_space_init(&h->space[1], SPACE1);
	for (int i = 0; i < 2; i++)
		h->spaces[i] = &h->space[i].msg;
	for (uint32_t i = 0; i < 3; i++)
		h->ids[i] = 1 + i;
	h->lease.name = (char *)LEASE;
	h->lease.state = IOASID__V1__LEASE__STATE__HELD;
	h->lease.mode = IOASID__V1__LEASE__MODE__HOLD;
	h->lease.devices = h->reply.devices = (char **)devices;
	h->lease.n_devices = h->reply.n_devices = 2;
	h->lease.grace_ms = 10000;
	h->lease.kept = true;
	h->lease.spaces = h->spaces;
	h->lease.n_spaces = 2;
	h->lease.device_ids = h->ids;
	h->lease.n_device_ids = 2;
	h->reply.lease = &h->lease;
}

static void assert_hold(const struct ioasid_lease *l)
{
	assert_int_equal(l->mode, IOASID_LEASE_HOLD);
	assert_int_equal(l->grace_ms, 10000);
	assert_true(l->kept);
	assert_int_equal(l->n_device_ids, 2);
	assert_int_equal(l->device_ids[0], 1);
	assert_int_equal(l->device_ids[1], 2);
	assert_int_equal(l->n_spaces, 2);
	assert_full(l->spaces[0], SPACE0);
	assert_full(l->spaces[1], SPACE1);
}

static void lease_of_hold_tells_ids_and_spaces(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	assert_int_equal(fake_reply(server, 1, &h.lease.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_get(conn, LEASE, &lease, &err), 0);
	assert_hold(lease);
}

static void lease_with_ids_for_some_devices_has_none(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.n_device_ids = 1;
	assert_int_equal(fake_reply(server, 1, &h.lease.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_get(conn, LEASE, &lease, &err), 0);
	assert_int_equal(lease->n_device_ids, 0);
	assert_null(lease->device_ids);
}

static void send_hold(const struct hold_reply *h, uint32_t n_fds)
{
	assert_int_equal(fake_reply(server, 1, &h->reply.base, n_fds, memfd,
				    n_fds), 0);
}

static void claim_of_hold_gives_ids(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	send_hold(&h, 3);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
	assert_int_equal(claim->n_devices, 2);
	assert_string_equal(claim->devices[1].name, DEVICE1);
	assert_int_equal(claim->devices[0].id, 1);
	assert_int_equal(claim->devices[1].id, 2);
	assert_true(claim->iommufd >= 0 && claim->devices[1].fd >= 0);
	assert_hold(claim->lease);
}

static void claim_of_transfer_gives_no_ids(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.mode = IOASID__V1__LEASE__MODE__TRANSFER;
	h.lease.n_spaces = h.lease.n_device_ids = 0;
	send_hold(&h, 3);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
	assert_int_equal(claim->devices[0].id, 0);
	assert_int_equal(claim->devices[1].id, 0);
}

/* One thing is wrong: nothing is given, our end is closed. */
static void assert_refused(const struct hold_reply *h, uint32_t n_fds)
{
	int count;

	send_hold(h, n_fds);
	count = fd_count();
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err),
			 -EPROTO);
	assert_string_equal(err.id, IOASID_ERROR_PROTOCOL);
	assert_null(claim);
	assert_int_equal(fd_count(), count - 1);
}

static void claim_with_too_few_descriptors_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	assert_refused(&h, 2);
}

static void claim_with_too_few_ids_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.n_device_ids = 1;
	assert_refused(&h, 3);
}

static void claim_with_too_many_ids_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.n_device_ids = 3;
	assert_refused(&h, 3);
}

static void claim_without_ids_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.n_device_ids = 0;
	assert_refused(&h, 3);
}

static void claim_with_an_id_of_0_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.ids[1] = 0;
	assert_refused(&h, 3);
}

static void claim_with_one_id_for_two_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.ids[1] = h.ids[0];
	assert_refused(&h, 3);
}

static void claim_of_a_space_without_id_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.space[1].msg.kernel_id = 0;
	assert_refused(&h, 3);
}

static void claim_of_transfer_with_ids_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.mode = IOASID__V1__LEASE__MODE__TRANSFER;
	h.lease.n_spaces = 0;
	assert_refused(&h, 3);
}

static void claim_of_an_unknown_mode_is_refused(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	h.lease.mode = (Ioasid__V1__Lease__Mode)(IOASID_LEASE_MODES);
	assert_refused(&h, 3);
}

/* --- claims with a container --- */

static const char *const groups[] = { "groups/0000:01:00.0",
				      "groups/0000:02:00.0" };

/* One group of both devices; the space is the container's own. */
static void container_reply_init(struct hold_reply *h)
{
	hold_reply_init(h);
	h->reply.groups = (char **)groups;
	h->reply.n_groups = 1;
	h->lease.n_device_ids = 0;
	h->lease.n_spaces = 1;
	h->space[0].msg.kernel_id = IOASID_SPACE_OF_CONTAINER;
}

static void claim_with_a_container_gives_its_groups(void **state)
{
	struct hold_reply h;
	struct stat a, b;

	container_reply_init(&h);
	send_hold(&h, 4);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
	assert_int_equal(claim->backend, IOASID_BACKEND_TYPE1);
	assert_int_equal(claim->n_groups, 1);
	assert_string_equal(claim->groups[0].name, groups[0]);
	assert_int_equal(claim->n_devices, 2);
	/* Container, group, devices. */
	for (int i = 0; i < 4; i++) {
		const int fds[] = { claim->iommufd, claim->groups[0].fd,
				    claim->devices[0].fd,
				    claim->devices[1].fd };

		assert_int_equal(fstat(memfd[i], &a), 0);
		assert_int_equal(fstat(fds[i], &b), 0);
		assert_true(a.st_ino == b.st_ino);
	}
	assert_int_equal(claim->devices[1].id, 0);
	assert_int_equal(claim->lease->spaces[0]->kernel_id,
			 IOASID_SPACE_OF_CONTAINER);
}

static void claim_with_an_iommufd_has_no_groups(void **state)
{
	struct hold_reply h;

	hold_reply_init(&h);
	send_hold(&h, 3);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
	assert_int_equal(claim->backend, IOASID_BACKEND_IOMMUFD);
	assert_int_equal(claim->n_groups, 0);
}

static void claim_with_too_few_groups_is_refused(void **state)
{
	struct hold_reply h;

	container_reply_init(&h);
	assert_refused(&h, 3);
}

static void claim_of_one_group_twice_is_refused(void **state)
{
	const char *const twice[] = { groups[0], groups[0] };
	struct hold_reply h;

	container_reply_init(&h);
	h.reply.groups = (char **)twice;
	h.reply.n_groups = 2;
	assert_refused(&h, 5);
}

static void claim_of_more_groups_than_devices_is_refused(void **state)
{
	struct hold_reply h;

	container_reply_init(&h);
	h.reply.n_groups = 2;
	h.lease.n_devices = h.reply.n_devices = 1;
	assert_refused(&h, 4);
}

static void claim_with_a_container_and_ids_is_refused(void **state)
{
	struct hold_reply h;

	container_reply_init(&h);
	h.lease.n_device_ids = 2;
	assert_refused(&h, 4);
}

static void claim_with_a_container_of_two_spaces_is_refused(void **state)
{
	struct hold_reply h;

	container_reply_init(&h);
	h.lease.n_spaces = 2;
	h.space[1].msg.kernel_id = 0;
	assert_refused(&h, 4);
}

static void claim_of_guarded_with_groups_is_refused(void **state)
{
	struct hold_reply h;

	container_reply_init(&h);
	h.lease.mode = IOASID__V1__LEASE__MODE__GUARDED;
	assert_refused(&h, 3);
}

/* As many times as there are bytes, with one of them changed: nothing leaks,
 * nothing is read beyond its end (ASan), and no claim has other than two ids.
 */
static void damaged_claims_leave_nothing(void **state)
{
	struct hold_reply h;
	_cleanup_free_ uint8_t *payload = NULL;
	size_t size;

	hold_reply_init(&h);
	size = protobuf_c_message_get_packed_size(&h.reply.base);
	payload = malloc(size);
	for (size_t i = 0; i < size * 3; i++) {
		(void)protobuf_c_message_pack(&h.reply.base, payload);
		payload[i / 3] ^= (uint8_t[]){ 0x01, 0x80, 0xff }[i % 3];
		assert_int_equal(fake_reply_bytes(server, 1, payload, size, 3,
						  memfd, 3), 0);
		if (ioasid_lease_claim(conn, LEASE, &claim, &err) == 0)
			assert_true(claim->devices[0].id &&
				    claim->devices[1].id);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(space_tells_all_that_was_sent),
		TEST(space_without_anything_has_nothing),
		TEST(list_of_a_lease_is_read_to_its_end),
		TEST(window_at_0_is_not_one_anywhere),
		TEST(create_says_all_of_it),
		TEST(set_windows_says_all_of_it),
		TEST(attach_and_detach_name_both),
		TEST(delete_is_answered_with_what_was),
		TEST(refusal_names_what_is_in_the_way),
		TEST(more_than_can_be_is_not_sent),
		TEST(offer_of_hold_says_its_spaces),
		TEST(offer_of_an_older_header_has_no_mode),
		TEST(lease_of_hold_tells_ids_and_spaces),
		TEST(lease_with_ids_for_some_devices_has_none),
		TEST(claim_of_hold_gives_ids),
		TEST(claim_of_transfer_gives_no_ids),
		TEST(claim_with_too_few_descriptors_is_refused),
		TEST(claim_with_too_few_ids_is_refused),
		TEST(claim_with_too_many_ids_is_refused),
		TEST(claim_without_ids_is_refused),
		TEST(claim_with_an_id_of_0_is_refused),
		TEST(claim_with_one_id_for_two_is_refused),
		TEST(claim_of_a_space_without_id_is_refused),
		TEST(claim_of_transfer_with_ids_is_refused),
		TEST(claim_of_an_unknown_mode_is_refused),
		TEST(claim_with_a_container_gives_its_groups),
		TEST(claim_with_an_iommufd_has_no_groups),
		TEST(claim_with_too_few_groups_is_refused),
		TEST(claim_of_one_group_twice_is_refused),
		TEST(claim_of_more_groups_than_devices_is_refused),
		TEST(claim_with_a_container_and_ids_is_refused),
		TEST(claim_with_a_container_of_two_spaces_is_refused),
		TEST(claim_of_guarded_with_groups_is_refused),
		TEST(damaged_claims_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
