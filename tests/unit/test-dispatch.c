/* SPDX-License-Identifier: Apache-2.0
 *
 * test-dispatch.c - from a packet to its answer, with a machine of memfds
 *
 * The front, the operations, the registry and the database are the real ones;
 * only the kernel's table is ours. The loop has a thread of its own, as in the
 * daemon, so the thread sanitizer sees what it would see there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "front-host.h"
#include "front/codec.h"
#include "front/contract.h"
#include "front/front.h"
#include "front/methods.h"
#include "front/peer.h"
#include "front/server.h"
#include "ops/context.h"
#include "ops/ops.h"
#include "ops/watch.h"
#include "ops/workers.h"

#define VF "devices/pci-0000-03-00.0"
#define BIG (1 << 20)

/**
 * struct world - A daemon in this process
 */
struct world {
	struct host host;
	struct kernel kernel;
	struct front *front;
	pthread_t thread;
	char dir[64];
	char path[96];
	int fds_before;
};

/* How long the kernel takes to open something, and how often it did. */
static _Atomic unsigned int late_ms;
static _Atomic int opened;

/* --- the kernel --- */

static int fake_info(struct kernel *k, struct kernel_info *ret,
		     struct error *err)
{
	*ret = (struct kernel_info){ .release = "7.0", .boot_id = BOOT_ID,
				     .iommufd = true,
				     .backend = KERNEL_BACKEND_IOMMUFD };
	return 0;
}

static int fake_open(int *ret_fd)
{
	const struct timespec nap = { .tv_nsec = late_ms * 1000000l };

	nanosleep(&nap, NULL);
	opened++;
	*ret_fd = memfd_create("fake", MFD_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int fake_iommufd_open(struct kernel *k, int *ret_fd, struct error *err)
{
	return fake_open(ret_fd);
}

static int fake_cdev_open(struct kernel *k, const char *bdf, int *ret_fd,
			  struct error *err)
{
	return fake_open(ret_fd);
}

static int fake_rlimit_mode(struct kernel *k, int iommufd, struct error *err)
{
	return 0;
}

static int fake_device(struct kernel *k, const char *bdf,
		       struct kernel_device *ret, struct error *err)
{
	return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND, "fake");
}

static const struct kernel_ops fake_ops = {
	.info = fake_info,
	.iommufd_open = fake_iommufd_open,
	.iommufd_rlimit_mode = fake_rlimit_mode,
	.cdev_open = fake_cdev_open,
	.device = fake_device,
};

/* --- the daemon --- */

static void *run_loop(void *data)
{
	assert_int_equal(loop_run(data), 0);
	return NULL;
}

/**
 * setup() - Start a world with a PF and four prepared VFs
 */
static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error err = ERROR_NULL;
	char name[NAME_SIZE];

	assert_non_null(w);
	w->fds_before = fd_count();
	late_ms = 0;
	strcpy(w->dir, "/tmp/ioasidd-dispatch-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
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
	assert_int_equal(contexts_new(&w->host, &err), 0);
	assert_int_equal(workers_new(16, &w->host.workers), 0);
	assert_int_equal(front_start(&w->host, w->path, &w->front, &err), 0);
	assert_int_equal(pthread_create(&w->thread, NULL, run_loop,
					w->host.loop), 0);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

/**
 * stop() - End a world as main() does; the socket is gone, no descriptor stays
 */
static void stop(struct world *w)
{
	loop_stop(w->host.loop);
	pthread_join(w->thread, NULL);
	w->front = front_stop(w->front);
	assert_int_equal(access(w->path, F_OK), -1);
	w->host.workers = workers_free(w->host.workers);
	loop_stop(w->host.loop);
	assert_int_equal(loop_run(w->host.loop), 0);
	watches_free(w->host.watches);
	contexts_free(w->host.contexts);
	registry_free(w->host.registry);
	store_close(w->host.store);
	loop_free(w->host.loop);
}

static int teardown(void **state)
{
	struct world *w = *state;

	stop(w);
	assert_int_equal(fd_count(), w->fds_before);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* --- the client --- */

/**
 * struct answer - What came back
 */
struct answer {
	uint64_t id;
	char error[64];
	char message[512];
	uint8_t payload[BIG];
	size_t size;
	uint32_t descriptors;
	int fds[65];
	size_t n_fds;
};

/**
 * dial() - Connect, without reading the hello
 */
static int dial(const struct world *w)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 20 };

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	peer_prepare(fd);
	str_copy(to.sun_path, sizeof(to.sun_path), w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/**
 * hear() - Receive one packet
 * @ret:	Filled; its descriptors are the caller's
 *
 * Return: false if the connection is over.
 */
static bool hear(int fd, struct answer *ret)
{
	static uint8_t packet[PACKET_MAX];
	const pb_envelope *envelope;
	_cleanup_arena_ struct arena arena;
	ProtobufCMessage *message;
	ssize_t n;

	arena_init(&arena, 4 * BIG);
	ret->n_fds = 0;
	n = fd_receive(fd, packet, sizeof(packet), ret->fds, 65, &ret->n_fds);
	if (n <= 0)
		return false;
	message = protobuf_c_message_unpack(PB(envelope), &arena.allocator,
					    (size_t)n, packet);
	assert_non_null(message);
	envelope = (const void *)message;
	ret->id = envelope->id;
	ret->error[0] = ret->message[0] = '\0';
	ret->size = 0;
	ret->descriptors = 0;
	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_ERROR) {
		str_copy(ret->error, sizeof(ret->error), envelope->error->id);
		str_copy(ret->message, sizeof(ret->message),
			 envelope->error->message);
	} else if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_REPLY) {
		ret->size = envelope->reply->payload.len;
		memcpy(ret->payload, envelope->reply->payload.data,
		       ret->size);
		ret->descriptors = envelope->reply->descriptors;
	} else {
		assert_int_equal(envelope->body_case,
				 IOASID__V1__ENVELOPE__BODY_EVENT);
		assert_int_equal(envelope->event->hello->max_packet,
				 PACKET_MAX);
		assert_int_equal(envelope->event->hello->pid, getpid());
	}
	return true;
}

/**
 * call_dial() - Connect and read the hello
 */
static int call_dial(const struct world *w)
{
	static struct answer answer;
	int fd = dial(w);

	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 0);
	assert_string_equal(answer.error, "");
	return fd;
}

/**
 * say() - Send a request
 * @method:	"Host/GetVersion"
 * @message:	Its message
 */
static void say(int fd, uint64_t id, const char *method,
		const ProtobufCMessage *message)
{
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	static uint8_t payload[BIG], packet[BIG];
	char name[128];
	size_t size;

	snprintf(name, sizeof(name), CONTRACT ".%s", method);
	request.method = name;
	request.payload.data = payload;
	request.payload.len = protobuf_c_message_pack(message, payload);
	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	envelope.request = &request;
	size = ioasid__v1__envelope__pack(&envelope, packet);
	assert_int_equal(fd_send(fd, packet, size, NULL, 0), 0);
}

/**
 * ask() - Send a request and wait for its answer
 *
 * Return: the error's id; "ok".
 */
static const char *ask(int fd, const char *method,
		       const ProtobufCMessage *message, struct answer *ret)
{
	static uint64_t id = 1000;

	say(fd, ++id, method, message);
	assert_true(hear(fd, ret));
	assert_int_equal(ret->id, id);
	if (*ret->error)
		log_debug("%s: %s: %s", method, ret->error, ret->message);
	return *ret->error ? ret->error : "ok";
}

/**
 * ask_name() - ask() with a request that is a name
 *
 * In the contract all of these have the name as field 1.
 */
static const char *ask_name(int fd, const char *method, const char *name,
			    struct answer *ret)
{
	Ioasid__V1__GetDeviceRequest in = IOASID__V1__GET_DEVICE_REQUEST__INIT;

	in.name = (char *)name;
	return ask(fd, method, &in.base, ret);
}

/* --- tests --- */

static struct answer answer;

static void every_method_is_bound_and_guarded(void **state)
{
	static const struct caller bob = { .process = { .uid = 1 },
					   .principal = "uid:1" };
	static const struct caller root = { .process = { .uid = 0 },
					    .principal = "uid:0",
					    .ceiling = ROLE_ADMIN };
	const struct binding *binding;
	struct error err = ERROR_NULL;
	const struct method *methods;
	size_t n, open = 0;

	methods = methods_all(&n);
	assert_int_equal(methods_check(&err), 0);
	for (size_t i = 0; i < n; i++) {
		bool change = strstr(methods[i].name, "/Prepare") ||
			      strstr(methods[i].name, "/Restore") ||
			      strstr(methods[i].name, "/Recover") ||
			      strstr(methods[i].name, "/CreateLease") ||
			      strstr(methods[i].name, "/Reissue") ||
			      strstr(methods[i].name, "/CheckPolicy") ||
			      strstr(methods[i].name, "Groups/") ||
			      strstr(methods[i].name, "Iommus/");

		assert_ptr_equal(method_find(methods[i].name, &binding),
				 &methods[i]);
		assert_string_equal(binding->name, methods[i].name);
		assert_int_equal(method_allowed(&methods[i], &root, &err), 0);
		assert_int_equal(method_allowed(&methods[i], &bob, &err) < 0,
				 change);
		open += !change;
	}
	assert_int_equal(open, 37);
	assert_null(method_find("ioasid.v1.Host/GetVersio", &binding));
	assert_null(method_find("", &binding));
}

static void what_is_asked_is_answered(void **state)
{
	struct world *w = *state;
	Ioasid__V1__GetVersionRequest get =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	Ioasid__V1__ListDevicesRequest list =
		IOASID__V1__LIST_DEVICES_REQUEST__INIT;
	Ioasid__V1__ListDevicesResponse *devices;
	pb_version *version;
	int fd = call_dial(w);

	assert_string_equal(ask(fd, "Host/GetVersion", &get.base, &answer),
			    "ok");
	version = ioasid__v1__version__unpack(NULL, answer.size,
					      answer.payload);
	assert_string_equal(version->contract, "ioasid.v1");
	assert_string_equal(version->backend, "iommufd");
	assert_true(version->revision > 0);
	ioasid__v1__version__free_unpacked(version, NULL);

	list.all = true;
	assert_string_equal(ask(fd, "Devices/ListDevices", &list.base,
				&answer), "ok");
	devices = ioasid__v1__list_devices_response__unpack(
		NULL, answer.size, answer.payload);
	assert_int_equal(devices->n_devices, 8);
	ioasid__v1__list_devices_response__free_unpacked(devices, NULL);

	assert_string_equal(ask_name(fd, "Devices/GetDevice", VF, &answer),
			    "ok");
	assert_string_equal(ask_name(fd, "Devices/GetDevice", VF "x",
				     &answer), "device.not-found");
	assert_string_equal(ask_name(fd, "Devices/GetDevice", "../../etc",
				     &answer), "request.invalid");
	assert_string_equal(ask_name(fd, "Devices/GetDevice", "", &answer),
			    "request.invalid");
	assert_string_equal(ask_name(fd, "Groups/GetGroup",
				     "groups/pci-0000-03-00.0", &answer),
			    "ok");
	assert_string_equal(ask_name(fd, "Groups/GetGroup", "groups/1",
				     &answer), "group.not-found");
	assert_string_equal(ask_name(fd, "Leases/GetLease", "leases/1",
				     &answer), "lease.not-found");
	assert_string_equal(ask_name(fd, "Operations/GetOperation",
				     "operations/1", &answer),
			    "operation.not-found");
	assert_string_equal(ask_name(fd, "Operations/WaitOperation",
				     "operations/1", &answer),
			    "operation.not-found");
	assert_string_equal(ask_name(fd, "Leases/ReleaseLease", "leases/1",
				     &answer), "lease.not-found");
	assert_string_equal(ask(fd, "Groups/ListGroups", &get.base, &answer),
			    "ok");
	assert_string_equal(ask(fd, "Iommus/ListIommus", &get.base, &answer),
			    "ok");
	assert_string_equal(ask(fd, "Leases/ListLeases", &get.base, &answer),
			    "ok");
	assert_string_equal(ask(fd, "Operations/ListOperations", &get.base,
				&answer), "ok");
	assert_string_equal(ask(fd, "Host/Nothing", &get.base, &answer),
			    "request.unknown-method");
	close(fd);
}

/**
 * send_bytes() - Send bytes, and hear what is said to them
 */
static const char *send_bytes(int fd, const void *data, size_t size)
{
	assert_int_equal(fd_send(fd, data, size, NULL, 0), 0);
	assert_true(hear(fd, &answer));
	return answer.error;
}

/* Whatever it was, the connection goes on. */
static void bad_packets_are_answered(void **state)
{
	Ioasid__V1__CreateLeaseRequest create =
		IOASID__V1__CREATE_LEASE_REQUEST__INIT;
	_cleanup_free_ char *big = calloc(1, PACKET_MAX + 1);
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	static uint8_t packet[BIG];
	struct world *w = *state;
	int fd = call_dial(w), fds[3] = { fd, fd, fd };
	size_t size;

	assert_string_equal(send_bytes(fd, "\xff", 1), "request.malformed");
	assert_int_equal(answer.id, 0);
	assert_string_equal(send_bytes(fd, "\x08\x05\xff", 3),
			    "request.malformed");
	assert_int_equal(answer.id, 5);
	assert_string_equal(send_bytes(fd, "\x08\x05", 2),
			    "request.malformed");
	assert_string_equal(send_bytes(fd, "\x12\x00", 2),
			    "request.malformed");
	assert_string_equal(send_bytes(fd, big, PACKET_MAX + 1),
			    "request.too-large");
	assert_int_equal(fd_send(fd, "\x08\x05", 2, fds, 3), 0);
	assert_true(hear(fd, &answer));
	assert_string_equal(answer.error, "request.unexpected-descriptor");

	/* Exactly as much as may be, and one byte more. */
	memset(big, 0, PACKET_MAX);
	for (size_t i = 0; i < MESSAGE_MAX; i += 2)
		big[i] = 0x22;
	request.method = (char *)"ioasid.v1.Leases/CreateLease";
	request.payload.data = (uint8_t *)big;
	request.payload.len = MESSAGE_MAX;
	envelope.id = 9;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	envelope.request = &request;
	size = ioasid__v1__envelope__pack(&envelope, packet);
	assert_string_equal(send_bytes(fd, packet, size),
			    "request.too-complex");
	assert_int_equal(answer.id, 9);
	request.payload.len++;
	size = ioasid__v1__envelope__pack(&envelope, packet);
	assert_string_equal(send_bytes(fd, packet, size),
			    "request.too-large");

	/* What the offer says is looked at before the devices are. */
	assert_string_equal(ask(fd, "Leases/CreateLease", &create.base,
				&answer), "request.invalid");
	assert_string_equal(ask_name(fd, "Devices/GetDevice", VF, &answer),
			    "ok");
	close(fd);
}

/**
 * offer_to() - Make a lease of one device
 * @device:	"devices/..."
 * @uid:	To whom
 * @ret:	Its name
 */
static void offer_to(int fd, const char *device, uid_t uid,
		     char ret[NAME_SIZE])
{
	pb_create_lease in = IOASID__V1__CREATE_LEASE_REQUEST__INIT;
	pb_claimant claimant = IOASID__V1__CLAIMANT__INIT;
	char *devices[1] = { (char *)device };
	pb_lease *lease;

	claimant.uid = uid;
	in.devices = devices;
	in.n_devices = 1;
	in.claimant = &claimant;
	in.memlock_bytes = 4096;
	assert_string_equal(ask(fd, "Leases/CreateLease", &in.base, &answer),
			    "ok");
	lease = ioasid__v1__lease__unpack(NULL, answer.size, answer.payload);
	assert_int_equal(lease->state, IOASID__V1__LEASE__STATE__OFFERED);
	str_copy(ret, NAME_SIZE, lease->name);
	ioasid__v1__lease__free_unpacked(lease, NULL);
}

/* offer() - offer_to() ourselves. */
static void offer(int fd, const char *device, char ret[NAME_SIZE])
{
	offer_to(fd, device, getuid(), ret);
}

/* iommufd first, then the devices, with one reply and no second one. */
static void a_claim_brings_descriptors(void **state)
{
	struct world *w = *state;
	int fd = call_dial(w);
	pb_claim_response *claim;
	char lease[NAME_SIZE];

	offer(fd, VF, lease);
	assert_string_equal(ask_name(fd, "Leases/ClaimLease", lease,
				     &answer), "ok");
	assert_int_equal(answer.n_fds, 2);
	assert_int_equal(answer.descriptors, 2);
	claim = ioasid__v1__claim_lease_response__unpack(NULL, answer.size,
							 answer.payload);
	assert_int_equal(claim->n_devices, 1);
	assert_string_equal(claim->devices[0], VF);
	assert_string_equal(claim->lease->name, lease);
	assert_int_equal(claim->lease->n_holders, 1);
	assert_int_equal(claim->lease->holders[0]->pid, getpid());
	assert_true(claim->lease->no_reset);
	ioasid__v1__claim_lease_response__free_unpacked(claim, NULL);
	close(answer.fds[0]);
	close(answer.fds[1]);

	assert_string_equal(ask_name(fd, "Leases/AcknowledgeLease", lease,
				     &answer), "ok");
	assert_int_equal(answer.n_fds, 0);
	assert_string_equal(ask_name(fd, "Leases/ClaimLease", lease,
				     &answer), "lease.state");
	assert_string_equal(ask_name(fd, "Leases/GetLease", lease, &answer),
			    "ok");
	close(fd);
}

/* Gone before anything was sent: nothing has changed. */
static void a_claim_of_one_who_is_gone_is_undone(void **state)
{
	struct world *w = *state;
	Ioasid__V1__GetDeviceRequest in = IOASID__V1__GET_DEVICE_REQUEST__INIT;
	int fd = call_dial(w), other = call_dial(w), before;
	char lease[NAME_SIZE];
	pb_lease *view;

	offer(fd, VF, lease);
	before = opened;
	late_ms = 100;
	in.name = lease;
	say(other, 1, "Leases/ClaimLease", &in.base);
	while (opened == before)
		usleep(1000);
	close(other);
	late_ms = 0;
	for (int i = 0;; i++) {
		enum _Ioasid__V1__Lease__State now;

		assert_string_equal(ask_name(fd, "Leases/GetLease", lease,
					     &answer), "ok");
		view = ioasid__v1__lease__unpack(NULL, answer.size,
						 answer.payload);
		now = view->state;
		ioasid__v1__lease__free_unpacked(view, NULL);
		if (now == IOASID__V1__LEASE__STATE__OFFERED && i > 5)
			break;
		assert_true(i < 1000);
		usleep(10000);
	}
	assert_string_equal(ask_name(fd, "Leases/ReleaseLease", lease,
				     &answer), "ok");
	close(fd);
}

/**
 * add_operation() - Put a running operation into the registry
 * @ret:	Its name
 */
static void add_operation(struct world *w, const char *principal,
			  char ret[NAME_SIZE])
{
	struct operation *op = operation_new(OPERATION_PREPARE, VF, principal,
					     "");

	str_copy(ret, NAME_SIZE, op->name);
	registry_lock(w->host.registry);
	assert_int_equal(registry_add_operation_consume(w->host.registry,
							op), 0);
	registry_unlock(w->host.registry);
}

static void post_ended(void *data)
{
	struct host *host = data;

	host->operation_ended(host->front);
}

/**
 * end_operation() - Let an operation be done, as ops/ does
 */
static void end_operation(struct world *w, const char *name)
{
	registry_lock(w->host.registry);
	registry_operation(w->host.registry, name)->state = OPERATION_DONE;
	registry_unlock(w->host.registry);
	assert_int_equal(loop_post(w->host.loop, post_ended, &w->host), 0);
}

/**
 * say_wait() - Ask to be told when an operation has ended
 */
static void say_wait(int fd, uint64_t id, const char *name, uint32_t ms)
{
	Ioasid__V1__WaitOperationRequest in =
		IOASID__V1__WAIT_OPERATION_REQUEST__INIT;

	in.name = (char *)name;
	in.timeout_ms = ms;
	say(fd, id, "Operations/WaitOperation", &in.base);
}

static void waiting_ends_with_the_operation_or_the_time(void **state)
{
	struct world *w = *state;
	int fd = call_dial(w), other = call_dial(w), third = call_dial(w);
	char first[NAME_SIZE], second[NAME_SIZE];
	uint64_t before;
	pb_operation *op;

	add_operation(w, "uid:0", first);
	add_operation(w, "uid:0", second);
	for (uint64_t i = 1; i < 30; i++) {
		say_wait(fd, i, i % 2 ? first : second, 0);
		say_wait(other, i, first, 0);
		say_wait(third, i, first, 0);
	}
	/* Everything so far has been read when this is answered. */
	assert_string_equal(ask_name(fd, "Devices/GetDevice", VF, &answer),
			    "ok");
	assert_string_equal(ask_name(third, "Devices/GetDevice", VF,
				     &answer), "ok");
	close(other);
	end_operation(w, first);
	for (int i = 0; i < 15; i++) {
		assert_true(hear(fd, &answer));
		assert_int_equal(answer.id % 2, 1);
		op = ioasid__v1__operation__unpack(NULL, answer.size,
						   answer.payload);
		assert_string_equal(op->name, first);
		assert_int_equal(op->state,
				 IOASID__V1__OPERATION__STATE__DONE);
		ioasid__v1__operation__free_unpacked(op, NULL);
	}
	before = clock_mono_ns();
	say_wait(fd, 100, second, 50);
	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 100);
	assert_true(clock_mono_ns() - before >= 50000000);
	op = ioasid__v1__operation__unpack(NULL, answer.size, answer.payload);
	assert_int_equal(op->state, IOASID__V1__OPERATION__STATE__RUNNING);
	ioasid__v1__operation__free_unpacked(op, NULL);

	say_wait(fd, 101, second, 600001);
	assert_true(hear(fd, &answer));
	assert_string_equal(answer.error, "request.invalid");
	end_operation(w, second);
	for (int i = 0; i < 14; i++)
		assert_true(hear(fd, &answer));
	close(fd);
	close(third);
}

/* The second of one id cannot be answered under that id. */
static void an_id_is_one_requests(void **state)
{
	struct world *w = *state;
	int fd = call_dial(w);
	char name[NAME_SIZE];

	add_operation(w, "uid:0", name);
	say_wait(fd, 7, name, 0);
	say_wait(fd, 7, name, 0);
	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 0);
	assert_string_equal(answer.error, "request.malformed");
	end_operation(w, name);
	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 7);
	assert_string_equal(answer.error, "");
	say_wait(fd, 7, name, 0);
	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 7);
	close(fd);
}

static void unanswered_requests_have_a_limit(void **state)
{
	struct world *w = *state;
	int fd = call_dial(w);
	char name[NAME_SIZE];

	add_operation(w, "uid:0", name);
	for (uint64_t i = 1; i <= REQUESTS_PER_PEER; i++)
		say_wait(fd, i, name, 0);
	say_wait(fd, 999, name, 0);
	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 999);
	assert_string_equal(answer.error, "limit.requests");
	/* What is answered at once is answered still. */
	assert_string_equal(ask_name(fd, "Devices/GetDevice", VF, &answer),
			    "ok");
	end_operation(w, name);
	for (uint64_t i = 1; i <= REQUESTS_PER_PEER; i++)
		assert_true(hear(fd, &answer));
	say_wait(fd, 999, name, 0);
	assert_true(hear(fd, &answer));
	assert_string_equal(answer.error, "");
	close(fd);
}

static void connections_have_a_limit(void **state)
{
	struct world *w = *state;
	int fds[PEERS_OF_ROOT + 1];

	if (getuid())
		skip();
	for (int i = 0; i < PEERS_OF_ROOT; i++)
		fds[i] = call_dial(w);
	fds[PEERS_OF_ROOT] = dial(w);
	assert_true(hear(fds[PEERS_OF_ROOT], &answer));
	assert_string_equal(answer.error, "limit.clients");
	assert_false(hear(fds[PEERS_OF_ROOT], &answer));
	assert_string_equal(ask_name(fds[0], "Devices/GetDevice", VF,
				     &answer), "ok");
	for (int i = 1; i <= PEERS_OF_ROOT; i++)
		close(fds[i]);
	/* When this is answered the loop has seen those leave. */
	for (int i = 0; i < 3; i++)
		assert_string_equal(ask_name(fds[0], "Devices/GetDevice", VF,
					     &answer), "ok");
	fds[1] = call_dial(w);
	close(fds[0]);
	close(fds[1]);
}

/**
 * as_nobody() - What another uid may do; in a child
 *
 * Return: 0 if all is as it should be; the line otherwise.
 */
static int as_nobody(struct world *w, const char *lease, const char *op)
{
	static const struct {
		const char *method, *name, *want;
	} table[] = {
		{ "Host/GetVersion", NULL, "ok" },
		{ "Devices/ListDevices", NULL, "ok" },
		{ "Leases/ListLeases", NULL, "ok" },
		{ "Operations/ListOperations", NULL, "ok" },
		{ "Groups/ListGroups", NULL, "permission.denied" },
		{ "Iommus/ListIommus", NULL, "permission.denied" },
		{ "Groups/GetGroup", "groups/pci-0000-03-00.0",
		  "permission.denied" },
		{ "Devices/GetDevice", VF, "device.not-found" },
		{ "Devices/PrepareDevice", VF, "permission.denied" },
		{ "Devices/RestoreDevice", VF, "permission.denied" },
		{ "Devices/RecoverDevice", VF, "permission.denied" },
		{ "Leases/CreateLease", NULL, "permission.denied" },
		{ "Leases/GetLease", "lease", "lease.not-found" },
		{ "Leases/ClaimLease", "lease", "lease.not-claimant" },
		{ "Leases/AcknowledgeLease", "lease", "lease.not-found" },
		{ "Leases/ReleaseLease", "lease", "lease.not-found" },
		{ "Operations/GetOperation", "op", "operation.not-found" },
		{ "Operations/WaitOperation", "op", "operation.not-found" },
	};
	Ioasid__V1__GetDeviceRequest in;
	int fd;

	if (setresuid(65534, 65534, 65534))
		return __LINE__;
	fd = dial(w);
	if (!hear(fd, &answer) || *answer.error)
		return __LINE__;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *name = table[i].name, *got;
		bool list = strstr(table[i].method, "/List");

		ioasid__v1__get_device_request__init(&in);
		if (name && str_eq(name, "lease"))
			name = lease;
		if (name && str_eq(name, "op"))
			name = op;
		if (name)
			in.name = (char *)name;
		got = ask(fd, table[i].method, &in.base, &answer);
		if (!str_eq(got, table[i].want)) {
			fprintf(stderr, "%s: %s, not %s: %s\n",
				table[i].method, got, table[i].want,
				answer.message);
			return __LINE__;
		}
		/* An empty list has its revision and nothing else. */
		if (list && str_eq(got, "ok") && answer.size > 11)
			return __LINE__;
	}
	return 0;
}

static void strangers_see_nothing(void **state)
{
	struct world *w = *state;
	int fd = call_dial(w), status;
	char lease[NAME_SIZE], op[NAME_SIZE];
	pid_t pid;

	if (getuid())
		skip();
	offer(fd, VF, lease);
	add_operation(w, "uid:0", op);
	assert_int_equal(chmod(w->dir, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(as_nobody(w, lease, op) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

/**
 * hang_up_workers() - Ask for many changes that wait for one, as nobody
 * @lease:	Addressed to nobody
 * @asked:	Written to when all have been sent
 *
 * Return: 0 if each of them had its answer; the line otherwise.
 */
static int hang_up_workers(struct world *w, const char *lease, int asked)
{
	Ioasid__V1__GetDeviceRequest in = IOASID__V1__GET_DEVICE_REQUEST__INIT;
	bool seen[REQUESTS_PER_PEER] = { false };
	int fd;

	if (setresuid(65534, 65534, 65534))
		return __LINE__;
	fd = dial(w);
	if (!hear(fd, &answer))
		return __LINE__;
	in.name = (char *)lease;
	for (uint64_t i = 1; i < REQUESTS_PER_PEER; i++)
		say(fd, i, "Leases/ReleaseLease", &in.base);
	if (write(asked, "x", 1) != 1)
		return __LINE__;
	for (int i = 1; i < REQUESTS_PER_PEER; i++) {
		if (!hear(fd, &answer) || answer.id >= REQUESTS_PER_PEER ||
		    seen[answer.id])
			return __LINE__;
		seen[answer.id] = true;
	}
	return 0;
}

/* Workers that wait for one uid's device are there for others still. */
static void one_uid_does_not_have_all_workers(void **state)
{
	struct world *w = *state;
	int fd = call_dial(w), asked[2], status;
	_cleanup_strv_ struct strv devices = STRV_NULL;
	char lease[NAME_SIZE], byte;
	uint64_t before;
	pid_t pid;

	if (getuid())
		skip();
	offer_to(fd, VF, 65534, lease);
	assert_int_equal(strv_add(&devices, VF), 0);
	registry_lock(w->host.registry);
	assert_int_equal(registry_claim(w->host.registry, &devices,
					"operations/1", NULL, NULL), 0);
	registry_unlock(w->host.registry);
	assert_int_equal(chmod(w->dir, 0755), 0);
	assert_int_equal(pipe(asked), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int line = hang_up_workers(w, lease, asked[1]);

		if (line)
			fprintf(stderr, "line %d: %s %s\n", line,
				answer.error, answer.message);
		_exit(line ? 1 : 0);
	}
	assert_int_equal(read(asked[0], &byte, 1), 1);
	usleep(100000);
	before = clock_mono_ns();
	for (int i = 0; i < 10; i++)
		assert_string_equal(ask_name(fd, "Leases/ReleaseLease",
					     "leases/1", &answer),
				    "lease.not-found");
	assert_true(clock_mono_ns() - before < 1000000000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	registry_lock(w->host.registry);
	registry_unclaim(w->host.registry, "operations/1");
	registry_unlock(w->host.registry);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(asked[0]);
	close(asked[1]);
	close(fd);
}

/* release() - Ask for the end of a lease, under an id of the caller's. */
static void release(int fd, uint64_t id, const char *lease, const char *repeat)
{
	Ioasid__V1__ReleaseLeaseRequest in =
		IOASID__V1__RELEASE_LEASE_REQUEST__INIT;

	in.name = (char *)lease;
	in.request_id = (char *)repeat;
	say(fd, id, "Leases/ReleaseLease", &in.base);
}

/* cancel() - Want a request no longer. */
static void cancel(int fd, uint64_t id)
{
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Cancel body = IOASID__V1__CANCEL__INIT;
	uint8_t packet[64];
	size_t size;

	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_CANCEL;
	envelope.cancel = &body;
	size = ioasid__v1__envelope__pack(&envelope, packet);
	assert_int_equal(fd_send(fd, packet, size, NULL, 0), 0);
}

/* Who hangs up and asks again has nothing to be compared with while the first
 * is at work. What a worker has cannot be cancelled, what is queued can.
 */
static void a_repeated_request_waits_for_the_first(void **state)
{
	struct world *w = *state;
	int first = call_dial(w), fd = call_dial(w);
	_cleanup_strv_ struct strv devices = STRV_NULL;
	char lease[NAME_SIZE];

	offer(fd, VF, lease);
	assert_int_equal(strv_add(&devices, VF), 0);
	registry_lock(w->host.registry);
	assert_int_equal(registry_claim(w->host.registry, &devices,
					"operations/1", NULL, NULL), 0);
	registry_unlock(w->host.registry);

	release(first, 1, lease, "again");
	/* Answered after the release was taken. */
	assert_string_equal(ask_name(first, "Devices/GetDevice", VF, &answer),
			    "ok");
	close(first);
	release(fd, 2, lease, "again");
	cancel(fd, 2);
	assert_true(hear(fd, &answer));
	assert_int_equal(answer.id, 2);
	assert_string_equal(answer.error, "request.cancelled");
	release(fd, 3, lease, "another");
	cancel(fd, 3);
	release(fd, 4, lease, "again");

	registry_lock(w->host.registry);
	registry_unclaim(w->host.registry, "operations/1");
	registry_unlock(w->host.registry);
	for (int i = 0; i < 2; i++) {
		assert_true(hear(fd, &answer));
		assert_true(answer.id == 3 || answer.id == 4);
		assert_string_equal(answer.error, "");
	}
	close(fd);
}

/* Stopped in the middle of everything; teardown counts what is left. */
static void stopping_ends_all_requests(void **state)
{
	struct world *w = *state;
	Ioasid__V1__GetDeviceRequest in = IOASID__V1__GET_DEVICE_REQUEST__INIT;
	int fds[4], before = opened;
	char lease[4][NAME_SIZE], op[NAME_SIZE];

	add_operation(w, "uid:0", op);
	for (int i = 0; i < 4; i++) {
		char device[NAME_SIZE];

		snprintf(device, sizeof(device), "devices/pci-0000-03-00.%d",
			 i);
		fds[i] = call_dial(w);
		offer(fds[i], device, lease[i]);
		say_wait(fds[i], 1, op, 0);
	}
	late_ms = 200;
	for (int i = 0; i < 4; i++) {
		in.name = lease[i];
		say(fds[i], 2, "Leases/ClaimLease", &in.base);
	}
	while (opened == before)
		usleep(1000);
	for (int i = 0; i < 4; i += 2)
		close(fds[i]);
	stop(w);
	for (int i = 1; i < 4; i += 2) {
		while (hear(fds[i], &answer))
			while (answer.n_fds)
				close(answer.fds[--answer.n_fds]);
		close(fds[i]);
	}
	assert_int_equal(fd_count(), w->fds_before);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
}

/* Many clients at once, for the thread sanitizer. */
static void *one_of_many(void *data)
{
	static const char *const devices[] = {
		"devices/pci-0000-03-00.0", "devices/pci-0000-03-00.1",
	};
	Ioasid__V1__GetDeviceRequest in = IOASID__V1__GET_DEVICE_REQUEST__INIT;
	struct world *w = data;
	uint8_t packet[4096];

	for (int i = 0; i < 50; i++) {
		Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
		pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
		uint8_t payload[256];
		int fd = dial(w);
		size_t size;

		in.name = (char *)(i % 2 ? devices[i / 2 % 2] : "leases/1");
		request.method = (char *)(i % 2 ? CONTRACT ".Devices/GetDevice" :
						  CONTRACT ".Leases/ReleaseLease");
		request.payload.data = payload;
		request.payload.len =
			ioasid__v1__get_device_request__pack(&in, payload);
		envelope.id = 1;
		envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
		envelope.request = &request;
		size = ioasid__v1__envelope__pack(&envelope, packet);
		if (fd_send(fd, packet, size, NULL, 0))
			abort();
		if (i % 3) /* the hello, and the answer */
			if (recv(fd, packet, sizeof(packet), 0) <= 0 ||
			    recv(fd, packet, sizeof(packet), 0) <= 0)
				abort();
		close(fd);
	}
	return NULL;
}

static void many_clients_at_once(void **state)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						one_of_many, *state), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_is_bound_and_guarded),
		IN_A_WORLD(what_is_asked_is_answered),
		IN_A_WORLD(bad_packets_are_answered),
		IN_A_WORLD(a_claim_brings_descriptors),
		IN_A_WORLD(a_claim_of_one_who_is_gone_is_undone),
		IN_A_WORLD(waiting_ends_with_the_operation_or_the_time),
		IN_A_WORLD(an_id_is_one_requests),
		IN_A_WORLD(unanswered_requests_have_a_limit),
		IN_A_WORLD(connections_have_a_limit),
		IN_A_WORLD(strangers_see_nothing),
		IN_A_WORLD(one_uid_does_not_have_all_workers),
		IN_A_WORLD(a_repeated_request_waits_for_the_first),
		cmocka_unit_test_setup(stopping_ends_all_requests, setup),
		IN_A_WORLD(many_clients_at_once),
	};
	struct rlimit limit;

	/* So that a lease can raise it without CAP_SYS_RESOURCE. */
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	limit.rlim_cur = 65536;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	log_init(getenv("TEST_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
