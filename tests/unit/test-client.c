/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client.c - libioasid against daemons good and bad
 *
 * The fake daemon's words lie in the socket before the call that reads them:
 * the ids of requests are known (1, 2, ...), so no second thread is needed and
 * descriptors can be counted. After each test there are as many as before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "test-client-fake.h"

/* The library itself: its insides are tested too. */
#include "libioasid/channel.c"
#include "libioasid/claim.c"
#include "libioasid/connect.c"
#include "libioasid/device.c"
#include "libioasid/fail.c"
#include "libioasid/lease.c"
#include "libioasid/list.c"
#include "libioasid/message.c"
#include "libioasid/operation.c"
#include "libioasid/space.c"
#include "libioasid/wish.c"

#define LEASE "leases/01k8aaaaaaaaaaaaaaaaaaaaaa"
#define DEVICE0 "devices/pci-0000-3b-00.0"
#define DEVICE1 "devices/pci-0000-3b-00.1"

static int server;		/* the fake daemon's end */
static struct ioasid *conn;	/* ours */
static int before;		/* descriptors open when the test began */
static int memfd[3];		/* an iommufd and two devices, as it were */
static struct ioasid_error err;
static struct ioasid_claim *claim;

/* Connected, with a hello read, and three descriptors to give. */
static int setup(void **state)
{
	int sock[2], size = 4 << 20;

	memset(&err, 0, sizeof(err));
	claim = NULL;
	before = fd_count();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	/* As the daemon does, where we may. */
	(void)setsockopt(sock[0], SOL_SOCKET, SO_SNDBUFFORCE, &size,
			 sizeof(size));
	server = sock[0];
	for (int i = 0; i < 3; i++)
		memfd[i] = memfd_create("device", MFD_CLOEXEC);
	if (fake_hello(server, "ioasid.v1") < 0)
		return -1;
	return channel_start(sock[1], -1, &conn, &err);
}

/* Whatever happened, a test leaves as many descriptors as it found. */
static int teardown(void **state)
{
	claim = ioasid_claim_free(claim);
	conn = ioasid_disconnect(conn);
	server = fd_close(server);
	for (int i = 0; i < 3; i++)
		memfd[i] = fd_close(memfd[i]);
	return fd_count() != before;
}

/* Do two descriptors stand for the same file? */
static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

/* The reply to a claim of two devices, for a test to spoil. */
struct claim_reply {
	Ioasid__V1__ClaimLeaseResponse reply;
	Ioasid__V1__Lease lease;
	char *devices[2];
	char *lease_devices[2];
};

static void claim_reply_init(struct claim_reply *c)
{
	ioasid__v1__claim_lease_response__init(&c->reply);
	ioasid__v1__lease__init(&c->lease);
	c->devices[0] = c->lease_devices[0] = (char *)DEVICE0;
	c->devices[1] = c->lease_devices[1] = (char *)DEVICE1;
	c->lease.name = (char *)LEASE;
	c->lease.state = IOASID__V1__LEASE__STATE__HELD;
	c->lease.devices = c->lease_devices;
	c->lease.n_devices = 2;
	c->reply.lease = &c->lease;
	c->reply.devices = c->devices;
	c->reply.n_devices = 2;
}

static void send_claim(struct claim_reply *c, uint64_t id, uint32_t states,
		       size_t n_fds)
{
	assert_int_equal(fake_reply(server, id, &c->reply.base, states, memfd,
				    n_fds), 0);
}

/* A claim that must fail: by whose fault, and the connection is dead. */
static void assert_claim_fails(int ret, const char *id)
{
	int count = fd_count();

	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), ret);
	assert_string_equal(err.id, id);
	assert_null(claim);
	/* Our end is closed, and nothing else has changed. */
	assert_int_equal(fd_count(), count - 1);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err),
			 -ENOTCONN);
}

static void hello_is_read(void **state)
{
	const struct ioasid_hello *hello = ioasid_hello(conn);

	assert_string_equal(hello->contract, "ioasid.v1");
	assert_string_equal(hello->daemon, "9.8.7");
	assert_int_equal(hello->max_packet, FAKE_MAX_PACKET);
	assert_int_equal(hello->uid, 4711);
	assert_int_equal(hello->pid, 42);
}

static void claim_gives_iommufd_then_devices(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	send_claim(&c, 1, 3, 3);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
	assert_true(same_file(claim->iommufd, memfd[0]));
	assert_int_equal(claim->n_devices, 2);
	assert_true(same_file(claim->devices[0].fd, memfd[1]));
	assert_true(same_file(claim->devices[1].fd, memfd[2]));
	assert_string_equal(claim->devices[0].name, DEVICE0);
	assert_string_equal(claim->devices[1].name, DEVICE1);
	assert_string_equal(claim->lease->name, LEASE);
	assert_int_equal(claim->lease->state, IOASID_LEASE_HELD);
	assert_int_equal(fcntl(claim->iommufd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(claim->devices[1].fd, F_GETFD), FD_CLOEXEC);
}

/* The reply to a claim of nodes: two devices of one group. */
struct node_reply {
	struct claim_reply c;
	Ioasid__V1__Node nodes[2];
	Ioasid__V1__Node *lease_nodes[1], *reply_nodes[1];
};

static void node_reply_init(struct node_reply *n)
{
	claim_reply_init(&n->c);
	n->c.lease.mode = IOASID__V1__LEASE__MODE__TRANSFER;
	for (size_t i = 0; i < 2; i++) {
		ioasid__v1__node__init(&n->nodes[i]);
		n->nodes[i].path = (char *)"/dev/vfio/12";
		n->nodes[i].group = (char *)"groups/g";
		n->nodes[i].major = 241;
		n->nodes[i].minor = 3;
		n->nodes[i].accessible = true;
		n->nodes[i].devices = n->c.devices;
		n->nodes[i].n_devices = 2;
	}
	n->lease_nodes[0] = &n->nodes[0];
	n->reply_nodes[0] = &n->nodes[1];
	n->c.lease.nodes = n->lease_nodes;
	n->c.reply.nodes = n->reply_nodes;
	n->c.lease.n_nodes = n->c.reply.n_nodes = 1;
}

static void claim_of_nodes_has_no_descriptors(void **state)
{
	const struct ioasid_node *node;
	struct node_reply n;

	node_reply_init(&n);
	send_claim(&n.c, 1, 0, 0);
	assert_int_equal(ioasid_lease_claim_own_nodes(conn, LEASE, "", &claim,
						      &err), 0);
	assert_int_equal(claim->iommufd, -1);
	assert_int_equal(claim->n_devices, 2);
	assert_int_equal(claim->devices[1].fd, -1);
	assert_string_equal(claim->devices[1].name, DEVICE1);
	assert_int_equal(claim->backend, IOASID_BACKEND_TYPE1);
	assert_int_equal(claim->lease->n_nodes, 1);
	node = &claim->lease->nodes[0];
	assert_string_equal(node->path, "/dev/vfio/12");
	assert_string_equal(node->group, "groups/g");
	assert_int_equal(node->major, 241);
	assert_int_equal(node->minor, 3);
	assert_true(node->accessible);
	assert_int_equal(node->n_devices, 2);
	assert_string_equal(node->devices[1], DEVICE1);
}

static void descriptors_beside_nodes_are_refused(void **state)
{
	struct node_reply n;

	node_reply_init(&n);
	send_claim(&n.c, 1, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void nodes_of_other_modes_are_refused(void **state)
{
	struct node_reply n;

	node_reply_init(&n);
	n.c.lease.mode = IOASID__V1__LEASE__MODE__HOLD;
	send_claim(&n.c, 1, 0, 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void other_nodes_than_the_leases_are_refused(void **state)
{
	struct node_reply n;

	node_reply_init(&n);
	n.nodes[1].path = (char *)"/dev/vfio/13";
	send_claim(&n.c, 1, 0, 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void descriptor_taken_out_stays_open(void **state)
{
	struct claim_reply c;
	int fd;

	claim_reply_init(&c);
	send_claim(&c, 1, 3, 3);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
	fd = TAKE_FD(claim->iommufd);
	claim = ioasid_claim_free(claim);
	assert_true(same_file(fd, memfd[0]));
	(void)fd_close(fd);
}

static void fewer_descriptors_than_devices_are_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	send_claim(&c, 1, 2, 2);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void fewer_descriptors_than_stated_are_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	send_claim(&c, 1, 3, 2);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void more_descriptors_than_stated_are_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	c.reply.n_devices = c.lease.n_devices = 1;
	send_claim(&c, 1, 2, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void no_descriptors_are_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	send_claim(&c, 1, 0, 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void more_descriptors_than_any_lease_has_are_refused(void **state)
{
	struct claim_reply c;
	int many[CHANNEL_MAX_FDS + 1];

	claim_reply_init(&c);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = memfd[0];
	assert_int_equal(fake_reply(server, 1, &c.reply.base, ARRAY_SIZE(many),
				    many, ARRAY_SIZE(many)), 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void descriptors_cut_off_by_our_limit_are_refused(void **state)
{
	struct rlimit old, tight;
	struct claim_reply c;
	int r, next;

	claim_reply_init(&c);
	send_claim(&c, 1, 3, 3);
	/* The next free number and one more: two of three find a place. */
	next = dup(0);
	(void)fd_close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)next + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	r = ioasid_lease_claim(conn, LEASE, &claim, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(r, -EPROTO);
	assert_string_equal(err.id, IOASID_ERROR_PROTOCOL);
}

static void descriptors_with_an_event_are_refused(void **state)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Event event = IOASID__V1__EVENT__INIT;
	struct claim_reply c;

	envelope.body_case = IOASID__V1__ENVELOPE__BODY_EVENT;
	envelope.event = &event;
	assert_int_equal(fake_send(server, &envelope, memfd, 1), 0);
	claim_reply_init(&c);
	send_claim(&c, 1, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void descriptors_with_an_error_are_refused(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	error.id = (char *)"lease.state";
	assert_int_equal(fake_error(server, 1, &error, memfd, 3), 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void descriptors_with_a_list_are_refused(void **state)
{
	Ioasid__V1__ListDevicesResponse reply =
		IOASID__V1__LIST_DEVICES_RESPONSE__INIT;
	struct ioasid_device_list *list = NULL;

	assert_int_equal(fake_reply(server, 1, &reply.base, 0, memfd, 1), 0);
	assert_int_equal(ioasid_device_list(conn, true, &list, &err), -EPROTO);
	assert_null(list);
}

static void claim_of_another_lease_is_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	c.lease.name = (char *)"leases/01k8bbbbbbbbbbbbbbbbbbbbbb";
	send_claim(&c, 1, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void claim_without_a_lease_is_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	c.reply.lease = NULL;
	send_claim(&c, 1, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void claim_with_devices_in_another_order_is_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	c.devices[0] = (char *)DEVICE1;
	c.devices[1] = (char *)DEVICE0;
	send_claim(&c, 1, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void claim_of_no_devices_is_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	c.reply.n_devices = c.lease.n_devices = 0;
	send_claim(&c, 1, 1, 1);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void garbage_is_refused(void **state)
{
	assert_int_equal(fd_send(server, "\xff\xff\xff\xff\xff", 5, memfd, 3),
			 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void half_an_envelope_is_refused(void **state)
{
	/* Field 3, a reply of 100 bytes, of which there are two. */
	assert_int_equal(fd_send(server, "\x08\x01\x1a\x64\x0a\x00", 6, memfd,
				 3), 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void garbage_payload_is_refused(void **state)
{
	assert_int_equal(fake_reply_bytes(server, 1, "\x0a\x7f", 2, 3, memfd,
					  3), 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void reply_to_another_request_is_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	send_claim(&c, 2, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void request_from_the_daemon_is_refused(void **state)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;

	envelope.id = 1;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	envelope.request = &request;
	assert_int_equal(fake_send(server, &envelope, NULL, 0), 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void close_in_the_middle_is_told(void **state)
{
	(void)shutdown(server, SHUT_WR);
	assert_claim_fails(-ECONNRESET, IOASID_ERROR_CLOSED);
}

static void daemon_that_is_gone_is_told(void **state)
{
	int count;

	server = fd_close(server);
	count = fd_count();
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err),
			 -ECONNRESET);
	assert_string_equal(err.id, IOASID_ERROR_CLOSED);
	assert_int_equal(fd_count(), count - 1);
}

static void too_long_a_packet_is_refused(void **state)
{
	static uint8_t big[CHANNEL_MAX_PACKET + 1];

	if (fd_send(server, big, sizeof(big), memfd, 3) < 0)
		skip();		/* not allowed so large a buffer */
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void string_that_is_not_utf8_is_refused(void **state)
{
	struct claim_reply c;

	claim_reply_init(&c);
	c.lease.end_reason = (char *)"\xc0\x80";
	send_claim(&c, 1, 3, 3);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void message_that_grows_too_large_is_refused(void **state)
{
	/* 120,000 devices of two bytes each would take 30 MB once read. */
	static uint8_t many[240000];
	struct ioasid_device_list *list = NULL;

	for (size_t i = 0; i < sizeof(many); i += 2)
		many[i] = 0x0a;
	if (fake_reply_bytes(server, 1, many, sizeof(many), 0, NULL, 0) < 0)
		skip();
	assert_int_equal(ioasid_device_list(conn, true, &list, &err), -EPROTO);
	assert_null(list);
}

/* The packet of a good claim, for a test to damage. Return: its length. */
static size_t claim_packet(uint8_t *packet)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Reply reply = IOASID__V1__REPLY__INIT;
	struct claim_reply c;
	uint8_t payload[1024];

	claim_reply_init(&c);
	reply.payload.len = protobuf_c_message_pack(&c.reply.base, payload);
	reply.payload.data = payload;
	reply.descriptors = 3;
	envelope.id = 1;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REPLY;
	envelope.reply = &reply;
	return protobuf_c_message_pack(&envelope.base, packet);
}

static void damaged_claims_leave_nothing(void **state)
{
	uint8_t good[2048], bad[2048];
	size_t size = claim_packet(good);
	uint32_t chance = 2463534242;	/* xorshift32; the same each time */
	int count = fd_count(), succeeded = 0;

	for (int i = 0; i < 4000; i++) {
		struct ioasid *victim;
		size_t length = size;
		int sock[2];

		memcpy(bad, good, size);
		for (int n = 1 + i % 4; n > 0; n--) {
			chance ^= chance << 13;
			chance ^= chance >> 17;
			chance ^= chance << 5;
			bad[chance % size] ^= (uint8_t)(1 + (chance >> 24));
		}
		if (i % 8 == 0)
			length = 1 + chance % size;
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock),
				 0);
		assert_int_equal(fake_hello(sock[0], "ioasid.v1"), 0);
		assert_int_equal(channel_start(sock[1], 1000, &victim, &err),
				 0);
		assert_int_equal(fd_send(sock[0], bad, length, memfd, 3), 0);
		(void)shutdown(sock[0], SHUT_WR);
		succeeded += ioasid_lease_claim(victim, LEASE, &claim, &err) ==
			     0;
		claim = ioasid_claim_free(claim);
		(void)ioasid_disconnect(victim);
		(void)fd_close(sock[0]);
	}
	assert_int_equal(fd_count(), count);
	/* Some damage is where it does not matter, most is not. */
	assert_in_range(succeeded, 0, 1000);
}

static void silence_ends_at_the_time_set(void **state)
{
	uint64_t start = clock_mono_ns(), took_ms;

	ioasid_set_timeout(conn, 50);
	assert_claim_fails(-ETIMEDOUT, IOASID_ERROR_TIMEOUT);
	took_ms = (clock_mono_ns() - start) / 1000000;
	assert_in_range(took_ms, 50, 5000);
}

static void unknown_events_are_passed_over(void **state)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Event event = IOASID__V1__EVENT__INIT;
	struct claim_reply c;

	envelope.body_case = IOASID__V1__ENVELOPE__BODY_EVENT;
	envelope.event = &event;
	for (int i = 0; i < 3; i++)
		assert_int_equal(fake_send(server, &envelope, NULL, 0), 0);
	claim_reply_init(&c);
	send_claim(&c, 1, 3, 3);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
}

static void refusal_keeps_the_connection(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	Ioasid__V1__Cause cause = IOASID__V1__CAUSE__INIT;
	Ioasid__V1__Cause *causes[20];
	struct claim_reply c;

	error.id = (char *)"lease.not-claimant";
	error.message = (char *)"it is for uid 7";
	error.object = (char *)LEASE;
	error.remedy = (char *)"be uid 7";
	cause.kind = (char *)"process";
	cause.name = (char *)"1234";
	cause.detail = (char *)"has it open";
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		causes[i] = &cause;
	error.causes = causes;
	error.n_causes = ARRAY_SIZE(causes);
	assert_int_equal(fake_error(server, 1, &error, NULL, 0), 0);
	claim_reply_init(&c);
	send_claim(&c, 2, 3, 3);

	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err),
			 -EREMOTEIO);
	assert_string_equal(err.id, "lease.not-claimant");
	assert_string_equal(err.message, "it is for uid 7");
	assert_string_equal(err.object, LEASE);
	assert_string_equal(err.remedy, "be uid 7");
	assert_int_equal(err.n_causes, IOASID_MAX_CAUSES);
	assert_string_equal(err.causes[15].name, "1234");
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, &err), 0);
}

static void error_that_belongs_to_no_request_ends_the_connection(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	error.id = (char *)"request.malformed";
	assert_int_equal(fake_error(server, 0, &error, NULL, 0), 0);
	assert_claim_fails(-EREMOTEIO, "request.malformed");
}

static void error_without_id_is_refused(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	assert_int_equal(fake_error(server, 1, &error, NULL, 0), 0);
	assert_claim_fails(-EPROTO, IOASID_ERROR_PROTOCOL);
}

static void long_words_are_cut_between_characters(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	char words[2001];

	/* Two bytes each: 511 bytes would end in the middle of one. */
	for (size_t i = 0; i < 2000; i += 2)
		memcpy(words + i, "\xc3\xa9", 2);
	words[2000] = '\0';
	error.id = (char *)"lease.state";
	error.message = words;
	assert_int_equal(fail_remote(&err, &error), -EREMOTEIO);
	assert_int_equal(strlen(err.message), 510);
	assert_true(str_utf8_valid(err.message, strlen(err.message)));
}

static void daemon_that_turns_us_away_says_why(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	struct ioasid *other = NULL;
	int sock[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	error.id = (char *)"limit.clients";
	assert_int_equal(fake_error(sock[0], 0, &error, NULL, 0), 0);
	(void)fd_close(sock[0]);
	assert_int_equal(channel_start(sock[1], -1, &other, &err), -EREMOTEIO);
	assert_string_equal(err.id, "limit.clients");
}

/* What a daemon says first that is no hello of ours. */
static void assert_no_hello(int (*say)(int sock), int ret)
{
	struct ioasid *other = NULL;
	int sock[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock), 0);
	assert_int_equal(say(sock[0]), 0);
	assert_int_equal(channel_start(sock[1], 50, &other, &err), ret);
	assert_null(other);
	(void)fd_close(sock[0]);
}

static int say_nothing(int sock)
{
	return 0;
}

static int say_other_contract(int sock)
{
	return fake_hello(sock, "ioasid.v2");
}

static int say_reply(int sock)
{
	return fake_reply_bytes(sock, 1, "", 0, 0, NULL, 0);
}

static int say_garbage(int sock)
{
	return fd_send(sock, "\xff", 1, memfd, 3);
}

static void connection_needs_a_hello(void **state)
{
	assert_no_hello(say_nothing, -ETIMEDOUT);
	assert_no_hello(say_other_contract, -EPROTO);
	assert_no_hello(say_reply, -EPROTO);
	assert_no_hello(say_garbage, -EPROTO);
}

static void unreachable_daemon_is_told(void **state)
{
	struct ioasid *other = NULL;
	char path[200];

	assert_int_equal(ioasid_connect("/nonexistent/ioasidd.sock", -1, &other,
					&err), -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_UNREACHABLE);
	assert_true(err.remedy[0]);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ioasid_connect(path, -1, &other, &err), -ENAMETOOLONG);
}

static void listener_that_does_not_accept_ends_at_the_time_set(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ioasid *other = NULL;
	int listener, waiting[2];

	(void)str_format(addr.sun_path, sizeof(addr.sun_path),
			 "/tmp/test-client-%d.sock", getpid());
	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(listener, (void *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 0), 0);
	/* Fill its queue up, so that connect(2) itself waits. */
	for (int i = 0; i < 2; i++) {
		waiting[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
		(void)connect(waiting[i], (void *)&addr, sizeof(addr));
	}
	assert_int_equal(ioasid_connect(addr.sun_path, 50, &other, &err),
			 -ETIMEDOUT);
	assert_string_equal(err.id, IOASID_ERROR_TIMEOUT);
	(void)unlink(addr.sun_path);
	(void)fd_close(listener);
	(void)fd_close(waiting[0]);
	(void)fd_close(waiting[1]);
}

/* One page with one device. */
static void send_page(uint64_t id, const char *name, const char *token)
{
	Ioasid__V1__ListDevicesResponse reply =
		IOASID__V1__LIST_DEVICES_RESPONSE__INIT;
	Ioasid__V1__Device device, *devices = &device;
	Ioasid__V1__PciDetails pci;

	fake_device(&device, &pci, name, "0000:3b:00.0");
	reply.devices = &devices;
	reply.n_devices = 1;
	reply.next_page_token = (char *)token;
	assert_int_equal(fake_reply(server, id, &reply.base, 0, NULL, 0), 0);
}

static void list_is_read_to_its_end(void **state)
{
	Ioasid__V1__ListDevicesRequest *request;
	struct ioasid_device_list *list;
	char method[128];
	uint64_t id;

	send_page(1, DEVICE0, "a");
	send_page(2, DEVICE1, "b");
	send_page(3, "devices/pci-0000-3b-00.2", "");
	assert_int_equal(ioasid_device_list(conn, true, &list, &err), 0);
	assert_int_equal(list->n, 3);
	assert_string_equal(list->items[0]->name, DEVICE0);
	assert_string_equal(list->items[2]->name, "devices/pci-0000-3b-00.2");
	assert_string_equal(list->items[1]->bdf, "0000:3b:00.0");
	assert_int_equal(list->items[1]->vendor, 0x1234);
	assert_int_equal(list->items[1]->state, IOASID_DEVICE_READY);
	assert_false(list->items[1]->probed);
	list = ioasid_device_list_free(list);

	for (uint64_t i = 1; i <= 3; i++) {
		request = fake_receive(server,
			&ioasid__v1__list_devices_request__descriptor, &id,
			method);
		assert_string_equal(method, "Devices/ListDevices");
		assert_int_equal(id, i);
		assert_true(request->all);
		assert_string_equal(request->page_token,
				    i == 1 ? "" : i == 2 ? "a" : "b");
		(void)message_free(request);
	}
}

static void list_without_an_end_is_refused(void **state)
{
	struct ioasid_device_list *list = NULL;

	send_page(1, DEVICE0, "a");
	send_page(2, DEVICE1, "a");
	assert_int_equal(ioasid_device_list(conn, false, &list, &err), -EPROTO);
	assert_null(list);
}

static void list_that_fails_half_way_leaves_nothing(void **state)
{
	struct ioasid_device_list *list = NULL;
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	send_page(1, DEVICE0, "a");
	error.id = (char *)"list.bad-token";
	assert_int_equal(fake_error(server, 2, &error, NULL, 0), 0);
	assert_int_equal(ioasid_device_list(conn, false, &list, &err),
			 -EREMOTEIO);
	assert_null(list);
}

static void device_shows_what_the_probe_found(void **state)
{
	Ioasid__V1__Capabilities caps = IOASID__V1__CAPABILITIES__INIT;
	Ioasid__V1__IovaRange range = IOASID__V1__IOVA_RANGE__INIT;
	Ioasid__V1__IovaRange *ranges = &range;
	struct ioasid_device *device;
	Ioasid__V1__PciDetails pci;
	Ioasid__V1__Device msg;

	fake_device(&msg, &pci, DEVICE0, "0000:3b:00.0");
	range.start = 0x1000;
	range.last = UINT64_MAX;
	caps.iova_ranges = &ranges;
	caps.n_iova_ranges = 1;
	caps.iova_alignment = 4096;
	caps.backend = (char *)"type1";
	caps.dirty_tracking = true;
	caps.dma_entries = 65535;
	msg.capabilities = &caps;
	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_device_get(conn, DEVICE0, &device, &err), 0);
	assert_true(device->probed);
	assert_int_equal(device->n_iova_ranges, 1);
	assert_true(device->iova_ranges[0].last == UINT64_MAX);
	assert_int_equal(device->iova_alignment, 4096);
	assert_string_equal(device->backend, "type1");
	assert_true(device->dirty_tracking);
	assert_int_equal(device->dma_entries, 65535);
	device = ioasid_device_free(device);
}

static void offer_says_all_of_it(void **state)
{
	const char *devices[] = { DEVICE0, DEVICE1 };
	struct ioasid_offer offer = {
		.size = sizeof(offer),
		.devices = devices,
		.n_devices = 2,
		.claimant_uid = 64055,
		.claimant_pid = 99,
		.memlock_bytes = 1 << 30,
		.expires_us = 1700000000500000,
		.restore_after = true,
		.request_id = "again",
	};
	Ioasid__V1__CreateLeaseRequest *request;
	Ioasid__V1__Lease reply = IOASID__V1__LEASE__INIT;
	struct ioasid_lease *lease;
	char method[128];
	uint64_t id;

	reply.name = (char *)LEASE;
	reply.state = IOASID__V1__LEASE__STATE__OFFERED;
	assert_int_equal(fake_reply(server, 1, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_create(conn, &offer, &lease, &err), 0);
	assert_string_equal(lease->name, LEASE);
	/* Addressed to nobody by the reply: not to root. */
	assert_int_equal(lease->claimant_uid, (uid_t)-1);
	lease = ioasid_lease_free(lease);

	request = fake_receive(server,
			       &ioasid__v1__create_lease_request__descriptor,
			       &id, method);
	assert_string_equal(method, "Leases/CreateLease");
	assert_int_equal(request->n_devices, 2);
	assert_string_equal(request->devices[1], DEVICE1);
	assert_int_equal(request->claimant->uid, 64055);
	assert_int_equal(request->claimant->pid, 99);
	assert_int_equal(request->memlock_bytes, 1 << 30);
	assert_int_equal(request->expires->seconds, 1700000000);
	assert_int_equal(request->expires->nanos, 500000000);
	assert_true(request->restore_after);
	assert_string_equal(request->request_id, "again");
	(void)message_free(request);
}

static void offer_of_another_version_is_checked(void **state)
{
	struct {
		struct ioasid_offer offer;
		uint64_t later;
	} larger = { .offer = { .size = sizeof(larger) } };
	const char *devices[] = { DEVICE0 };

	larger.later = 1;
	larger.offer.devices = devices;
	larger.offer.n_devices = 1;
	assert_int_equal(ioasid_lease_create(conn, &larger.offer, NULL, &err),
			 -EINVAL);
	larger.offer.size = 8;
	assert_int_equal(ioasid_lease_create(conn, &larger.offer, NULL, &err),
			 -EINVAL);
	larger.offer.size = sizeof(larger.offer);
	larger.offer.n_devices = 65;
	assert_int_equal(ioasid_lease_create(conn, &larger.offer, NULL, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
}

static void lease_tells_its_last_holder(void **state)
{
	Ioasid__V1__Lease msg = IOASID__V1__LEASE__INIT;
	Ioasid__V1__Holder holder[2] = { IOASID__V1__HOLDER__INIT,
					 IOASID__V1__HOLDER__INIT };
	Ioasid__V1__Holder *holders[] = { &holder[0], &holder[1] };
	Google__Protobuf__Timestamp expires =
		GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct ioasid_lease *lease;

	holder[0].pid = 10;
	holder[1].pid = 11;
	holder[1].uid = 12;
	expires.seconds = INT64_MAX;	/* no time that there is */
	msg.name = (char *)LEASE;
	msg.holders = holders;
	msg.n_holders = 2;
	msg.expires = &expires;
	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_get(conn, LEASE, &lease, &err), 0);
	assert_int_equal(lease->holder_pid, 11);
	assert_int_equal(lease->holder_uid, 12);
	assert_int_equal(lease->expires_us, 0);
	lease = ioasid_lease_free(lease);
}

static void acknowledge_names_the_lease(void **state)
{
	Ioasid__V1__AcknowledgeLeaseRequest *request;
	Ioasid__V1__Lease reply = IOASID__V1__LEASE__INIT;
	char method[128];
	uint64_t id;

	assert_int_equal(fake_reply(server, 1, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_lease_acknowledge(conn, LEASE, &err), 0);
	request = fake_receive(server,
		&ioasid__v1__acknowledge_lease_request__descriptor, &id,
		method);
	assert_string_equal(method, "Leases/AcknowledgeLease");
	assert_string_equal(request->name, LEASE);
	(void)message_free(request);
}

static void operation_is_waited_for_until_it_has_ended(void **state)
{
	Ioasid__V1__Operation reply = IOASID__V1__OPERATION__INIT;
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	struct ioasid_operation *op;

	reply.name = (char *)"operations/01k8";
	reply.state = IOASID__V1__OPERATION__STATE__RUNNING;
	assert_int_equal(fake_reply(server, 1, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(fake_reply(server, 2, &reply.base, 0, NULL, 0), 0);
	reply.state = IOASID__V1__OPERATION__STATE__FAILED;
	error.id = (char *)"device.blocked";
	reply.error = &error;
	assert_int_equal(fake_reply(server, 3, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_operation_wait(conn, "operations/01k8", -1, &op,
					       &err), 0);
	assert_int_equal(op->state, IOASID_OPERATION_FAILED);
	assert_string_equal(op->error->id, "device.blocked");
	op = ioasid_operation_free(op);
}

static void operation_that_runs_on_is_given_at_the_time_set(void **state)
{
	Ioasid__V1__Operation reply = IOASID__V1__OPERATION__INIT;
	struct ioasid_operation *op;

	reply.state = IOASID__V1__OPERATION__STATE__RUNNING;
	assert_int_equal(fake_reply(server, 1, &reply.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_operation_wait(conn, "operations/01k8", 0, &op,
					       &err), 0);
	assert_int_equal(op->state, IOASID_OPERATION_RUNNING);
	op = ioasid_operation_free(op);
}

static void words_are_not_needed(void **state)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	error.id = (char *)"lease.state";
	assert_int_equal(fake_error(server, 1, &error, NULL, 0), 0);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, NULL),
			 -EREMOTEIO);
	server = fd_close(server);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, NULL),
			 -ECONNRESET);
	assert_int_equal(ioasid_lease_claim(conn, LEASE, &claim, NULL),
			 -ENOTCONN);
}

/* How many functions the header declares; we run from the top of the source. */
static size_t declared(void)
{
	FILE *header = fopen("clients/libioasid/ioasid.h", "re");
	char line[256];
	size_t n = 0;

	assert_non_null(header);
	while (fgets(line, sizeof(line), header))
		n += str_starts(line, "IOASID_PUBLIC ") != NULL;
	assert_int_equal(fclose(header), 0);

	return n;
}

/* The shared library lies two folders above this program. */
static void library_exports_its_header_only(void **state)
{
	char path[400], command[500], line[256];
	size_t n_symbols = 0;
	ssize_t n;
	FILE *nm;

	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/libioasid.so.0");
	if (access(path, R_OK) < 0)
		skip();
	(void)str_format(command, sizeof(command),
			 "nm -D --defined-only %s | awk '$2 != \"A\" "
			 "{ sub(/@.*/, \"\", $3); print $3 }'", path);
	nm = popen(command, "r");
	assert_non_null(nm);
	while (fgets(line, sizeof(line), nm)) {
		const char *rest = str_starts(str_chomp(line), "ioasid_");

		if (!rest || *rest == '_')
			fail_msg("%s is exported", line);
		n_symbols++;
	}
	assert_int_equal(pclose(nm), 0);
	assert_true(n_symbols > 0);
	assert_int_equal(n_symbols, declared());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hello_is_read),
		TEST(claim_gives_iommufd_then_devices),
		TEST(claim_of_nodes_has_no_descriptors),
		TEST(descriptors_beside_nodes_are_refused),
		TEST(nodes_of_other_modes_are_refused),
		TEST(other_nodes_than_the_leases_are_refused),
		TEST(descriptor_taken_out_stays_open),
		TEST(fewer_descriptors_than_devices_are_refused),
		TEST(fewer_descriptors_than_stated_are_refused),
		TEST(more_descriptors_than_stated_are_refused),
		TEST(no_descriptors_are_refused),
		TEST(more_descriptors_than_any_lease_has_are_refused),
		TEST(descriptors_cut_off_by_our_limit_are_refused),
		TEST(descriptors_with_an_event_are_refused),
		TEST(descriptors_with_an_error_are_refused),
		TEST(descriptors_with_a_list_are_refused),
		TEST(claim_of_another_lease_is_refused),
		TEST(claim_without_a_lease_is_refused),
		TEST(claim_with_devices_in_another_order_is_refused),
		TEST(claim_of_no_devices_is_refused),
		TEST(garbage_is_refused),
		TEST(half_an_envelope_is_refused),
		TEST(garbage_payload_is_refused),
		TEST(reply_to_another_request_is_refused),
		TEST(request_from_the_daemon_is_refused),
		TEST(close_in_the_middle_is_told),
		TEST(daemon_that_is_gone_is_told),
		TEST(too_long_a_packet_is_refused),
		TEST(string_that_is_not_utf8_is_refused),
		TEST(message_that_grows_too_large_is_refused),
		TEST(damaged_claims_leave_nothing),
		TEST(silence_ends_at_the_time_set),
		TEST(unknown_events_are_passed_over),
		TEST(refusal_keeps_the_connection),
		TEST(error_that_belongs_to_no_request_ends_the_connection),
		TEST(error_without_id_is_refused),
		TEST(long_words_are_cut_between_characters),
		TEST(daemon_that_turns_us_away_says_why),
		TEST(connection_needs_a_hello),
		TEST(unreachable_daemon_is_told),
		TEST(listener_that_does_not_accept_ends_at_the_time_set),
		TEST(list_is_read_to_its_end),
		TEST(list_without_an_end_is_refused),
		TEST(list_that_fails_half_way_leaves_nothing),
		TEST(device_shows_what_the_probe_found),
		TEST(offer_says_all_of_it),
		TEST(offer_of_another_version_is_checked),
		TEST(lease_tells_its_last_holder),
		TEST(acknowledge_names_the_lease),
		TEST(operation_is_waited_for_until_it_has_ended),
		TEST(operation_that_runs_on_is_given_at_the_time_set),
		TEST(words_are_not_needed),
		TEST(library_exports_its_header_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
