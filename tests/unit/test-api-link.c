/* SPDX-License-Identifier: Apache-2.0
 *
 * test-api-link.c - what an ioasid-api can do, and a hostile one cannot
 *
 * The test is at the other end of the link, and a client in front of it. The
 * front, the operations, the registry and the database are the real ones; the
 * loop runs when the test wants something to arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "front-host.h"
#include "front/api-link.h"
#include "front/api-wire.h"
#include "front/server.h"
#include "ops/watch.h"
#include "ops/workers.h"

#define VF "devices/pci-0000-03-00.0"
#define OTHER 65534

/**
 * struct world - A daemon with a link, and the other end of that
 * @failed:	How often the link was over
 * @why:	Why it was
 * @configured:	What was said of the config; "?" if nothing
 */
struct world {
	struct host host;
	struct kernel kernel;
	struct front *front;
	struct api_link *link;
	int fd;
	char dir[64], native[96], path[96];
	int fds_before;
	int failed;
	char why[128];
	char configured[64];
	uint64_t last_id;
};

/* --- the kernel: what an offer asks of it --- */

static int fake_info(struct kernel *k, struct kernel_info *ret,
		     struct error *err)
{
	*ret = (struct kernel_info){ .release = "7.0", .boot_id = BOOT_ID,
				     .iommufd = true };
	return 0;
}

static int fake_device(struct kernel *k, const char *bdf,
		       struct kernel_device *ret, struct error *err)
{
	return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND, "fake");
}

static const struct kernel_ops fake_ops = {
	.info = fake_info,
	.device = fake_device,
};

/* --- the daemon --- */

static void saw_failed(void *owner, const char *why)
{
	struct world *w = owner;

	w->failed++;
	str_copy(w->why, sizeof(w->why), why);
	api_link_detach(w->link);
}

static void saw_configured(void *owner, const char *refused)
{
	struct world *w = owner;

	str_copy(w->configured, sizeof(w->configured), refused);
}

static const struct api_link_events events = {
	.failed = saw_failed,
	.configured = saw_configured,
};

/**
 * turn() - Let the loop go round
 */
static void turn(struct world *w)
{
	loop_stop(w->host.loop);
	assert_int_equal(loop_run(w->host.loop), 0);
}

/**
 * attach() - Be an ioasid-api that has just been started
 */
static void attach(struct world *w)
{
	const struct api_link_files none = { .n = 0 };
	int ours;

	assert_int_equal(api_wire_pair(&ours, &w->fd), 0);
	assert_int_equal(api_link_attach_consume(w->link, ours, &none), 0);
	w->failed = 0;
}

/**
 * setup() - Start a world with prepared VFs and an ioasid-api
 */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error err = ERROR_NULL;
	struct api_link_options options = { .listen = "127.0.0.1:0",
					    .ceiling = ROLE_OPERATOR };
	char name[NAME_SIZE];

	assert_non_null(w);
	w->fds_before = fd_count();
	strcpy(w->dir, "/tmp/ioasidd-link-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	snprintf(w->native, sizeof(w->native), "%s/sock", w->dir);
	snprintf(w->path, sizeof(w->path), "%s/api.sock", w->dir);
	options.socket = w->path;
	w->kernel.ops = &fake_ops;
	w->host.kernel = &w->kernel;
	w->host.max_pinned = UINT64_MAX;
	w->host.registry = machine_registry(4);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "devices/pci-0000-03-00.%d", i);
		machine_prepare(w->host.registry, name);
	}
	assert_int_equal(loop_new(&w->host.loop), 0);
	assert_int_equal(store_open(w->dir, NULL, NULL, &w->host.store, &err),
			 0);
	assert_int_equal(watches_new(&w->host, &err), 0);
	assert_int_equal(workers_new(4, &w->host.workers), 0);
	assert_int_equal(front_start(&w->host, w->native, &w->front, &err), 0);
	assert_int_equal(api_link_new(w->front, &options, &events, w, &w->link,
				      &err), 0);
	attach(w);
	strcpy(w->configured, "?");
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

/**
 * teardown() - End it; no descriptor stays, and no client
 */
static int teardown(void **state)
{
	struct world *w = *state;

	api_link_free(w->link);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(w->front->n_tcp, 0);
	front_stop(w->front);
	workers_free(w->host.workers);
	turn(w);
	watches_free(w->host.watches);
	registry_free(w->host.registry);
	store_close(w->host.store);
	loop_free(w->host.loop);
	fd_close(w->fd);
	assert_int_equal(fd_count(), w->fds_before);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* --- the other end --- */

/* What came last, and what was made of it. */
static uint8_t packet[WIRE_PACKET_MAX];
static pb_link_packet *got;
static pb_envelope *envelope;
static int got_fds[WIRE_FDS_MAX];
static size_t n_got_fds;

/**
 * forget() - Drop what came last
 */
static void forget(void)
{
	if (got)
		ioasid__v1__link_packet__free_unpacked(got, NULL);
	if (envelope)
		ioasid__v1__envelope__free_unpacked(envelope, NULL);
	got = NULL;
	envelope = NULL;
	while (n_got_fds)
		fd_close(got_fds[--n_got_fds]);
}

/**
 * hear() - Receive one packet
 *
 * Return: the kind of its body; -1 if the link is over; -2 if none came.
 */
static int hear(struct world *w)
{
	ssize_t n = -EAGAIN;

	forget();
	for (int i = 0; i < 2000 && n == -EAGAIN; i++) {
		turn(w);
		n = fd_receive(w->fd, packet, sizeof(packet), got_fds,
			       WIRE_FDS_MAX, &n_got_fds);
		if (n == -EAGAIN && i >= 20)
			usleep(1000);
	}
	if (n == -EAGAIN)
		return -2;
	if (n <= 0)
		return -1;
	got = ioasid__v1__link_packet__unpack(NULL, (size_t)n, packet);
	assert_non_null(got);
	if (got->body_case == IOASID__V1__LINK_PACKET__BODY_ENVELOPE) {
		envelope = ioasid__v1__envelope__unpack(
			NULL, got->envelope.len, got->envelope.data);
		assert_non_null(envelope);
		assert_int_equal(n_got_fds, 0);
	}
	return (int)got->body_case;
}

/**
 * nothing_comes() - Nothing is said, whatever was done
 */
static void nothing_comes(struct world *w)
{
	forget();
	for (int i = 0; i < 20; i++)
		turn(w);
	assert_int_equal(fd_receive(w->fd, packet, sizeof(packet), NULL, 0,
				    NULL), -EAGAIN);
}

/**
 * say() - Send a packet
 */
static void say(struct world *w, uint64_t number, pb_link_packet *what)
{
	static uint8_t out[1 << 20];
	size_t size;

	what->connection = number;
	size = ioasid__v1__link_packet__pack(what, out);
	assert_int_equal(fd_send(w->fd, out, size, NULL, 0), 0);
}

/**
 * ask_only() - Send a request for a connection
 *
 * Return: its id.
 */
static uint64_t ask_only(struct world *w, uint64_t number, const char *method,
			 const ProtobufCMessage *message)
{
	static uint8_t payload[1 << 16], out[1 << 17];
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	pb_envelope in = IOASID__V1__ENVELOPE__INIT;
	char name[128];

	snprintf(name, sizeof(name), CONTRACT ".%s", method);
	request.method = name;
	request.payload.data = payload;
	request.payload.len = protobuf_c_message_pack(message, payload);
	in.id = ++w->last_id;
	in.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	in.request = &request;
	what.body_case = IOASID__V1__LINK_PACKET__BODY_ENVELOPE;
	what.envelope.data = out;
	what.envelope.len = ioasid__v1__envelope__pack(&in, out);
	say(w, number, &what);
	return in.id;
}

/**
 * ask() - Ask and hear the answer
 *
 * Return: the error's id; "ok".
 */
static const char *ask(struct world *w, uint64_t number, const char *method,
		       const ProtobufCMessage *message)
{
	uint64_t id = ask_only(w, number, method, message);

	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_ENVELOPE);
	assert_true(got->connection == number);
	assert_true(envelope->id == id);
	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_ERROR)
		return envelope->error->id;
	assert_int_equal(envelope->body_case,
			 IOASID__V1__ENVELOPE__BODY_REPLY);
	return "ok";
}

/**
 * ask_name() - ask() with a request that is a name, as field 1
 */
static const char *ask_name(struct world *w, uint64_t number,
			    const char *method, const char *name)
{
	Ioasid__V1__GetDeviceRequest in = IOASID__V1__GET_DEVICE_REQUEST__INIT;

	in.name = (char *)name;
	return ask(w, number, method, &in.base);
}

/**
 * offer() - Ask for a lease of a VF
 */
static const char *offer(struct world *w, uint64_t number, uid_t uid,
			 bool unlimited)
{
	Ioasid__V1__CreateLeaseRequest in =
		IOASID__V1__CREATE_LEASE_REQUEST__INIT;
	pb_claimant claimant = IOASID__V1__CLAIMANT__INIT;
	char *devices[] = { (char *)VF };

	claimant.uid = uid;
	in.claimant = &claimant;
	in.n_devices = 1;
	in.devices = devices;
	in.memlock_unlimited = unlimited;
	return ask(w, number, "Leases/CreateLease", &in.base);
}

/* --- clients --- */

/**
 * dial_as() - Connect to the API, as somebody
 */
static int dial_as(const char *path, int type, uid_t uid)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), r;
	uid_t self = geteuid();

	str_copy(to.sun_path, sizeof(to.sun_path), path);
	assert_int_equal(seteuid(uid), 0);
	r = connect(fd, (struct sockaddr *)&to, sizeof(to));
	assert_int_equal(seteuid(self), 0);
	assert_int_equal(r, 0);
	return fd;
}

/**
 * dial_tcp() - Connect by TCP to where the world listens
 */
static int dial_tcp(const struct world *w)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(to);

	/* Its listener is the only TCP socket that this process has. */
	for (int i = 3;; i++) {
		assert_true(i < 1024);
		if (i != fd && !getsockname(i, (struct sockaddr *)&to, &size) &&
		    to.sin_family == AF_INET)
			break;
		size = sizeof(to);
	}
	assert_int_equal(connect(fd, (struct sockaddr *)&to, size), 0);
	return fd;
}

/**
 * opened() - Hear of a connection
 *
 * Return: its number.
 */
static uint64_t opened(struct world *w)
{
	uint64_t number;

	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_OPENED);
	assert_int_equal(n_got_fds, 1);
	number = got->connection;
	assert_true(number > 0);
	return number;
}

/**
 * begin() - Take the config that comes first
 */
static void begin(struct world *w)
{
	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CONFIG);
	assert_int_equal(got->config->n_files, 0);
}

/* --- tests: what it is for --- */

static void a_connection_is_passed_on_and_answered(void **state)
{
	struct world *w = *state;
	uint64_t number;
	char byte = 0;
	int fd;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	assert_false(got->opened->tcp);
	assert_non_null(strstr(got->opened->peer, "pid"));
	assert_int_equal(write(got_fds[0], "x", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_string_equal(ask_name(w, number, "Devices/GetDevice", VF),
			    "ok");
	assert_string_equal(ask_name(w, number, "Devices/GetDevice", "x"),
			    "request.invalid");
	close(fd);
	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CLOSED);
	assert_true(got->connection == number);
	forget();
}

static void files_are_taken_or_refused(void **state)
{
	struct world *w = *state;
	Ioasid__V1__LinkConfigured done = IOASID__V1__LINK_CONFIGURED__INIT;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	struct api_link_files files = { .n = 2,
					.names = { "limits", "key" },
					.fds = { 2, 2 } };

	begin(w);
	what.body_case = IOASID__V1__LINK_PACKET__BODY_CONFIGURED;
	what.configured = &done;
	say(w, 0, &what);
	turn(w);
	assert_string_equal(w->configured, "");

	api_link_configure(w->link, &files);
	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CONFIG);
	assert_int_equal(n_got_fds, 2);
	assert_string_equal(got->config->files[1], "key");
	done.refused = (char *)"no key";
	say(w, 0, &what);
	turn(w);
	assert_string_equal(w->configured, "no key");
	assert_int_equal(w->failed, 0);
	forget();
}

/* While there is no ioasid-api they wait; then they are the next one's. */
static void clients_wait_for_the_next_ioasid_api(void **state)
{
	struct world *w = *state;
	uint64_t first;
	char byte;
	int fd, waiting;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	first = opened(w);
	forget();
	w->fd = fd_close(w->fd);
	turn(w);
	turn(w);
	assert_int_equal(w->failed, 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(w->front->n_clients, 0);

	waiting = dial_as(w->path, SOCK_STREAM, geteuid());
	turn(w);
	assert_int_equal(w->front->n_clients, 0);
	attach(w);
	begin(w);
	assert_true(opened(w) > first);
	forget();
	close(fd);
	close(waiting);
}

/* --- tests: a hostile one --- */

static void numbers_that_were_not_given_are_refused(void **state)
{
	struct world *w = *state;
	Ioasid__V1__GetVersionRequest get =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	uint64_t mine;
	int fd;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	mine = opened(w);
	(void)ask_only(w, 0, "Host/GetVersion", &get.base);
	(void)ask_only(w, mine + 1, "Host/GetVersion", &get.base);
	(void)ask_only(w, UINT64_MAX, "Host/GetVersion", &get.base);
	nothing_comes(w);
	assert_string_equal(ask(w, mine, "Host/GetVersion", &get.base), "ok");
	assert_int_equal(w->failed, 0);

	/* And not for ever. */
	for (int i = 0; i < 100; i++)
		(void)ask_only(w, mine + 1, "Host/GetVersion", &get.base);
	assert_int_equal(hear(w), -1);
	assert_int_equal(w->failed, 1);
	forget();
	close(fd);
}

/* Root's number is of no use once root has gone, nor is it given again. */
static void what_is_closed_stays_closed(void **state)
{
	struct world *w = *state;
	Ioasid__V1__LinkClosed closed = IOASID__V1__LINK_CLOSED__INIT;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	Ioasid__V1__GetVersionRequest get =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	uint64_t first, second;
	char byte;
	int fd;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	first = opened(w);
	close(fd);
	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CLOSED);
	(void)ask_only(w, first, "Host/GetVersion", &get.base);
	nothing_comes(w);

	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	second = opened(w);
	assert_true(second > first);
	what.body_case = IOASID__V1__LINK_PACKET__BODY_CLOSED;
	what.closed = &closed;
	say(w, second, &what);
	(void)ask_only(w, second, "Host/GetVersion", &get.base);
	nothing_comes(w);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(w->front->n_clients, 0);
	assert_int_equal(w->failed, 0);
	close(fd);
}

/* Who is behind a number is what the kernel says, and nobody is above the
 * ceiling.
 */
static void nobody_is_more_than_the_ceiling(void **state)
{
	static const struct {
		const char *method, *name, *root, *other;
	} table[] = {
		{ "Host/GetVersion", "", "ok", "ok" },
		{ "Devices/GetDevice", VF, "ok", "device.not-found" },
		{ "Groups/ListGroups", "", "ok", "permission.denied" },
		{ "Devices/PrepareDevice", "x", "request.invalid",
		  "permission.denied" },
		{ "Devices/RecoverDevice", VF,
		  "permission.native-socket-only", "permission.denied" },
		{ "Leases/ClaimLease", "leases/x",
		  "permission.native-socket-only",
		  "permission.native-socket-only" },
		{ "Leases/ReleaseLease", "leases/1", "lease.not-found",
		  "lease.not-found" },
	};
	struct world *w = *state;
	uint64_t root, other;
	int fds[2];

	if (geteuid())
		skip();
	begin(w);
	fds[0] = dial_as(w->path, SOCK_STREAM, 0);
	root = opened(w);
	fds[1] = dial_as(w->path, SOCK_STREAM, OTHER);
	other = opened(w);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *name = table[i].name;

		assert_string_equal(ask_name(w, root, table[i].method, name),
				    table[i].root);
		assert_string_equal(ask_name(w, other, table[i].method, name),
				    table[i].other);
	}
	forget();
	close(fds[0]);
	close(fds[1]);
}

static void leases_are_for_who_asks_alone(void **state)
{
	struct world *w = *state;
	uint64_t root, other;
	int fds[2];

	if (geteuid())
		skip();
	begin(w);
	fds[0] = dial_as(w->path, SOCK_STREAM, 0);
	root = opened(w);
	fds[1] = dial_as(w->path, SOCK_STREAM, OTHER);
	other = opened(w);
	assert_string_equal(offer(w, root, OTHER, false), "permission.denied");
	assert_string_equal(offer(w, other, OTHER, false),
			    "permission.denied");
	assert_string_equal(offer(w, root, 0, true),
			    "permission.native-socket-only");
	assert_string_equal(offer(w, root, 0, false), "ok");
	forget();
	close(fds[0]);
	close(fds[1]);
}

/**
 * ends_the_link() - What was just sent is the end, and the next one can begin
 */
static void ends_the_link(struct world *w, const char *why)
{
	int kind;

	while ((kind = hear(w)) > 0)
		;
	assert_int_equal(kind, -1);
	assert_int_equal(w->failed, 1);
	assert_string_equal(w->why, why);
	assert_int_equal(w->front->n_clients, 0);
	fd_close(w->fd);
	attach(w);
	begin(w);
}

static void what_is_no_packet_of_its_ends_the_link(void **state)
{
	static uint8_t big[WIRE_PACKET_MAX + 1];
	static const char only_ours[] = "it says what only ioasidd may say";
	static const char no_packet[] = "it sent what is no packet of the link";
	struct world *w = *state;
	Ioasid__V1__LinkOpened open = IOASID__V1__LINK_OPENED__INIT;
	Ioasid__V1__LinkConfig config = IOASID__V1__LINK_CONFIG__INIT;
	Ioasid__V1__LinkConfigured done = IOASID__V1__LINK_CONFIGURED__INIT;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	uint64_t number;
	int fd;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	(void)opened(w);
	assert_int_equal(fd_send(w->fd, "\xff", 1, NULL, 0), 0);
	ends_the_link(w, no_packet);
	close(fd);
	/* Twice a number; an envelope that is longer than the packet. */
	assert_int_equal(fd_send(w->fd, "\x08\x01\x08\x02", 4, NULL, 0), 0);
	ends_the_link(w, no_packet);
	assert_int_equal(fd_send(w->fd, "\x08\x01\x12\x05x", 5, NULL, 0), 0);
	ends_the_link(w, no_packet);
	fd_send(w->fd, big, sizeof(big), NULL, 0);
	ends_the_link(w, "it sent a packet that is too long");
	fd = memfd_create("x", MFD_CLOEXEC);
	assert_int_equal(fd_send(w->fd, "\x08\x01", 2, &fd, 1), 0);
	close(fd);
	ends_the_link(w, "it sent a descriptor");

	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	say(w, number, &what); /* nothing at all */
	ends_the_link(w, only_ours);
	close(fd);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	what.body_case = IOASID__V1__LINK_PACKET__BODY_OPENED;
	what.opened = &open;
	say(w, number, &what);
	ends_the_link(w, only_ours);
	close(fd);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	what.body_case = IOASID__V1__LINK_PACKET__BODY_CONFIG;
	what.config = &config;
	say(w, number, &what);
	ends_the_link(w, only_ours);
	close(fd);

	what.body_case = IOASID__V1__LINK_PACKET__BODY_CONFIGURED;
	what.configured = &done;
	say(w, 0, &what);
	say(w, 0, &what);
	ends_the_link(w, "it answers what it was not asked");
	forget();
}

/* Empty envelopes, and such as nobody would send: each has its answer. */
static void bad_envelopes_are_answered(void **state)
{
	static uint8_t big[PACKET_MAX + 1];
	struct world *w = *state;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	const struct {
		const void *data;
		size_t size;
		const char *id;
	} table[] = {
		{ "", 0, "request.malformed" },
		{ "\x08\x05", 2, "request.malformed" },
		{ "\x08\x05\xff", 3, "request.malformed" },
		{ big, sizeof(big), "request.too-large" },
	};
	uint64_t number;
	int fd;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	what.body_case = IOASID__V1__LINK_PACKET__BODY_ENVELOPE;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		what.envelope.data = (uint8_t *)table[i].data;
		what.envelope.len = table[i].size;
		say(w, number, &what);
		assert_int_equal(hear(w),
				 IOASID__V1__LINK_PACKET__BODY_ENVELOPE);
		assert_string_equal(envelope->error->id, table[i].id);
	}
	assert_int_equal(w->failed, 0);
	forget();
	close(fd);
}

/* It asks and asks and reads nothing. What waits for it is bounded, and so is
 * what it can send; others are served.
 */
static void a_flood_is_held_back(void **state)
{
	static uint8_t request[256], out[512];
	struct world *w = *state;
	Ioasid__V1__ListDevicesRequest list =
		IOASID__V1__LIST_DEVICES_REQUEST__INIT;
	Ioasid__V1__Request in = IOASID__V1__REQUEST__INIT;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	pb_envelope env = IOASID__V1__ENVELOPE__INIT;
	uint8_t payload[64];
	uint64_t number;
	size_t size;
	int fd, sent = 0, idle = 0;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	forget();
	list.all = true;
	in.method = (char *)CONTRACT ".Devices/ListDevices";
	in.payload.data = payload;
	in.payload.len = ioasid__v1__list_devices_request__pack(&list, payload);
	env.id = 1;
	env.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	env.request = &in;
	what.connection = number;
	what.body_case = IOASID__V1__LINK_PACKET__BODY_ENVELOPE;
	what.envelope.data = request;
	what.envelope.len = ioasid__v1__envelope__pack(&env, request);
	size = ioasid__v1__link_packet__pack(&what, out);
	while (idle < 50) {
		int r = fd_send(w->fd, out, size, NULL, 0);

		assert_true(r == 0 || r == -EAGAIN);
		sent += r == 0;
		idle = r == 0 ? 0 : idle + 1;
		if (r)
			turn(w);
		assert_true(sent < 100000);
	}
	assert_int_equal(w->failed, 0);
	assert_true(sent > 1000);
	/* It reads again, and is well. */
	for (int i = 0; i < sent; i++)
		assert_int_equal(hear(w),
				 IOASID__V1__LINK_PACKET__BODY_ENVELOPE);
	nothing_comes(w);
	close(fd);
}

/* Native or not, a uid has so many in all. */
static void connections_are_counted_together(void **state)
{
	struct world *w = *state;
	int fds[PEERS_PER_UID], native;
	char byte, words[1024];
	ssize_t n;

	if (geteuid())
		skip();
	begin(w);
	for (int i = 0; i < PEERS_PER_UID; i++) {
		fds[i] = dial_as(w->path, SOCK_STREAM, OTHER);
		(void)opened(w);
	}
	forget();
	native = dial_as(w->native, SOCK_SEQPACKET, OTHER);
	turn(w);
	n = read(native, words, sizeof(words));
	assert_true(n > 0);
	assert_non_null(memmem(words, (size_t)n, "limit.clients", 13));
	close(native);
	native = dial_as(w->path, SOCK_STREAM, OTHER);
	nothing_comes(w);
	assert_int_equal(read(native, &byte, 1), 0);
	close(native);
	/* Those that have gone count no more, whatever ioasid-api does. */
	for (int i = 0; i < PEERS_PER_UID; i++) {
		close(fds[i]);
		assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CLOSED);
	}
	forget();
	native = dial_as(w->native, SOCK_SEQPACKET, OTHER);
	turn(w);
	n = read(native, words, sizeof(words));
	assert_null(memmem(words, (size_t)n, "limit.clients", 13));
	close(native);
}

/* --- tests: TCP --- */

/**
 * certify() - Say whose certificate a connection has
 */
static void certify(struct world *w, uint64_t number, const char *uri,
		    const char *name, size_t fingerprint)
{
	Ioasid__V1__LinkCertificate certificate =
		IOASID__V1__LINK_CERTIFICATE__INIT;
	pb_link_packet what = IOASID__V1__LINK_PACKET__INIT;
	uint8_t hash[33] = { 0xab };

	certificate.uris = (char **)&uri;
	certificate.n_uris = uri != NULL;
	certificate.names = (char **)&name;
	certificate.n_names = name != NULL;
	certificate.fingerprint.data = hash;
	certificate.fingerprint.len = fingerprint;
	what.body_case = IOASID__V1__LINK_PACKET__BODY_CERTIFICATE;
	what.certificate = &certificate;
	say(w, number, &what);
}

static void who_comes_by_tcp_is_nobody_at_first(void **state)
{
	struct world *w = *state;
	Ioasid__V1__GetVersionRequest get =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	uint64_t number;
	int fd;

	begin(w);
	fd = dial_tcp(w);
	number = opened(w);
	assert_true(got->opened->tcp);
	assert_non_null(strstr(got->opened->peer, "127.0.0.1 port "));
	assert_string_equal(ask(w, number, "Host/GetVersion", &get.base),
			    "permission.unauthenticated");
	/* Too late: it has asked already. */
	certify(w, number, "spiffe://example/a", NULL, 32);
	ends_the_link(w, "it names who cannot be named by a certificate");
	close(fd);
	forget();
}

static void a_certificate_is_who_it_names(void **state)
{
	static const struct {
		const char *uri, *name, *principal;
	} table[] = {
		{ "spiffe://example/a", "a.example", "cert:spiffe://example/a" },
		{ NULL, "a.example", "cert:a.example" },
		{ NULL, NULL, "cert:sha256:ab00000000000000000000000000000000000000000000000000000000000000" },
	};
	struct world *w = *state;
	Ioasid__V1__GetVersionRequest get =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	uint64_t number;
	int fd;

	begin(w);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		fd = dial_tcp(w);
		number = opened(w);
		certify(w, number, table[i].uri, table[i].name, 32);
		assert_string_equal(ask(w, number, "Host/GetVersion",
					&get.base), "ok");
		assert_string_equal(w->front->clients->caller.principal,
				    table[i].principal);
		assert_true(w->front->clients->caller.process.uid ==
			    (uid_t)-1);
		assert_string_equal(ask_name(w, number,
					     "Devices/PrepareDevice", VF),
				    "permission.denied");
		assert_string_equal(ask_name(w, number, "Devices/GetDevice",
					     VF), "device.not-found");
		close(fd);
		forget();
		certify(w, number, "spiffe://example/b", NULL, 32);
		ends_the_link(w,
			      "it names who cannot be named by a certificate");
	}
	forget();
}

static void a_certificate_is_for_tcp_and_well_formed(void **state)
{
	static const char why[] =
		"it names who cannot be named by a certificate";
	static const char *const bad[] = {
		"", "spiffe://a\nuid:0",
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789",
	};
	struct world *w = *state;
	uint64_t number;
	char byte;
	int fd;

	begin(w);
	fd = dial_as(w->path, SOCK_STREAM, geteuid());
	number = opened(w);
	certify(w, number, "spiffe://example/a", NULL, 32);
	ends_the_link(w, why);
	close(fd);
	fd = dial_tcp(w);
	number = opened(w);
	certify(w, number, "spiffe://example/a", NULL, 31);
	ends_the_link(w, why);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fd = dial_tcp(w);
		number = opened(w);
		forget();
		certify(w, number, bad[i], NULL, 32);
		assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CLOSED);
		forget();
		assert_int_equal(read(fd, &byte, 1), 0);
		close(fd);
	}
	assert_int_equal(w->failed, 0);
}

/* The network has its own share, and in it the oldest stranger gives way. */
static void the_network_does_not_keep_others_out(void **state)
{
	struct world *w = *state;
	int fds[PEERS_UNKNOWN], more, local;
	uint64_t first = 0;
	char byte;

	begin(w);
	for (int i = 0; i < PEERS_UNKNOWN; i++) {
		uint64_t number;

		fds[i] = dial_tcp(w);
		number = opened(w);
		first = first ? first : number;
	}
	forget();
	more = dial_tcp(w);
	assert_int_equal(hear(w), IOASID__V1__LINK_PACKET__BODY_CLOSED);
	assert_int_equal(got->connection, first);
	(void)opened(w);
	forget();
	assert_int_equal(read(fds[0], &byte, 1), 0);
	nothing_comes(w);
	local = dial_as(w->path, SOCK_STREAM, geteuid());
	(void)opened(w);
	forget();
	for (int i = 0; i < PEERS_UNKNOWN; i++)
		close(fds[i]);
	close(more);
	close(local);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(a_connection_is_passed_on_and_answered),
		IN_A_WORLD(files_are_taken_or_refused),
		IN_A_WORLD(clients_wait_for_the_next_ioasid_api),
		IN_A_WORLD(numbers_that_were_not_given_are_refused),
		IN_A_WORLD(what_is_closed_stays_closed),
		IN_A_WORLD(nobody_is_more_than_the_ceiling),
		IN_A_WORLD(leases_are_for_who_asks_alone),
		IN_A_WORLD(what_is_no_packet_of_its_ends_the_link),
		IN_A_WORLD(bad_envelopes_are_answered),
		IN_A_WORLD(a_flood_is_held_back),
		IN_A_WORLD(connections_are_counted_together),
		IN_A_WORLD(who_comes_by_tcp_is_nobody_at_first),
		IN_A_WORLD(a_certificate_is_who_it_names),
		IN_A_WORLD(a_certificate_is_for_tcp_and_well_formed),
		IN_A_WORLD(the_network_does_not_keep_others_out),
	};

	log_init(getenv("TEST_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
