/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-ctl-space.c - the verbs of ioasidctl for hold leases, spaces and
 * windows, against a fake daemon
 *
 * The fake daemon keeps each request that it gets, as it came, in shared memory
 * for the tests to read. It has one space with two windows; one that is told to
 * have others answers with those.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "ioasid/v1/space.pb-c.h"
#include "libioasid/ioasid.h"
#include "test-client-run.h"

#define LEASE "leases/01k8aaaaaaaaaaaaaaaaaaaaaa"
#define HOLD "leases/01k8hhhhhhhhhhhhhhhhhhhhhh"
#define SPACE "spaces/01k8cccccccccccccccccccccc"
#define DEVICE0 "devices/pci-0000-3b-00.0"
#define DEVICE1 "devices/pci-0000-3b-00.1"

/**
 * struct seen - What the fake daemon has seen; shared memory
 * @n:		How many requests
 * @requests:	The requests, with their method and their content
 * @changed:	Answer to SetWindows that somebody else was faster
 */
struct seen {
	size_t n;
	struct {
		char method[128];
		size_t size;
		uint8_t payload[16384];
	} requests[4];
	bool changed;
};

static struct seen *seen;

/* --- the fake daemon ------------------------------------------------------ */

static int refuse(int sock, uint64_t id, const char *which)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;

	error.id = (char *)which;
	error.message = (char *)"no";
	return fake_error(sock, id, &error, NULL, 0);
}

/* A space as the fake daemon has it, with the windows that were asked for. */
struct fake_space {
	Ioasid__V1__Space msg;
	Ioasid__V1__Window window[64], *windows[64];
	Ioasid__V1__Attachment attachment[2], *attachments[2];
	Ioasid__V1__IovaRange range, *ranges;
	Ioasid__V1__Space__LabelsEntry label, *labels;
};

static void fake_space_init(struct fake_space *s)
{
	ioasid__v1__space__init(&s->msg);
	for (int i = 0; i < 64; i++) {
		ioasid__v1__window__init(&s->window[i]);
		s->windows[i] = &s->window[i];
	}
	for (int i = 0; i < 2; i++) {
		ioasid__v1__attachment__init(&s->attachment[i]);
		s->attachments[i] = &s->attachment[i];
	}
	ioasid__v1__iova_range__init(&s->range);
	ioasid__v1__space__labels_entry__init(&s->label);
	s->ranges = &s->range;
	s->labels = &s->label;
	s->window[0].last = 0x7fffffff;
	s->window[0].page_sizes = 4096;
	s->window[0].purpose = IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32;
	s->window[1].start = UINT64_C(1) << 59;
	s->window[1].last = (UINT64_C(1) << 59) + (UINT64_C(1) << 40) - 1;
	s->window[1].page_sizes = 0x201000;
	s->attachment[0].device = (char *)DEVICE0;
	s->attachment[1].device = (char *)DEVICE1;
	s->range.last = 0xfedfffff;
	s->label.key = (char *)"vm";
	s->label.value = (char *)"one";
	s->msg.name = (char *)SPACE;
	s->msg.etag = (char *)"e9";
	s->msg.lease = (char *)HOLD;
	s->msg.windows = s->windows;
	s->msg.attachments = s->attachments;
	s->msg.kernel_id = 5;
	s->msg.iova_ranges = &s->ranges;
	s->msg.iova_alignment = 4096;
	s->msg.labels = &s->labels;
	s->msg.n_windows = s->msg.n_attachments = 2;
	s->msg.n_iova_ranges = s->msg.n_labels = 1;
}

static int answer_space(int sock, uint64_t id)
{
	struct fake_space s;

	fake_space_init(&s);
	return fake_reply(sock, id, &s.msg.base, 0, NULL, 0);
}

static int answer_windows(int sock, uint64_t id, const void *payload,
			  size_t size)
{
	Ioasid__V1__SetWindowsRequest *request;
	struct fake_space s;
	uint64_t start;
	int r;

	if (seen->changed)
		return refuse(sock, id, "request.etag-mismatch");
	request = ioasid__v1__set_windows_request__unpack(NULL, size, payload);
	fake_space_init(&s);
	s.msg.n_windows = request->n_windows;
	for (size_t i = 0; i < request->n_windows; i++) {
		/* Somewhere, if it does not matter where. */
		start = request->windows[i]->place_case ?
			request->windows[i]->start : 0xab000000;
		s.window[i].start = start;
		s.window[i].last = start + request->windows[i]->size - 1;
		s.window[i].page_sizes = request->windows[i]->page_sizes;
		s.window[i].purpose = request->windows[i]->purpose;
	}
	r = fake_reply(sock, id, &s.msg.base, 0, NULL, 0);
	ioasid__v1__set_windows_request__free_unpacked(request, NULL);
	return r;
}

static int answer_spaces(int sock, uint64_t id)
{
	Ioasid__V1__ListSpacesResponse reply =
		IOASID__V1__LIST_SPACES_RESPONSE__INIT;
	struct fake_space s[2];
	Ioasid__V1__Space *spaces[] = { &s[0].msg, &s[1].msg };

	fake_space_init(&s[0]);
	fake_space_init(&s[1]);
	s[1].msg.name = (char *)"spaces/01k8dddddddddddddddddddddd";
	s[1].msg.n_windows = s[1].msg.n_attachments = 0;
	s[1].msg.kernel_id = 0;
	reply.spaces = spaces;
	reply.n_spaces = 2;
	return fake_reply(sock, id, &reply.base, 0, NULL, 0);
}

static int answer_lease(int sock, uint64_t id)
{
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	char *devices[] = { (char *)DEVICE0, (char *)DEVICE1 };
	uint32_t ids[] = { 1, 2 };
	struct fake_space s;
	Ioasid__V1__Space *spaces = &s.msg;

	fake_space_init(&s);
	lease.name = (char *)HOLD;
	lease.state = IOASID__V1__LEASE__STATE__HELD;
	lease.mode = IOASID__V1__LEASE__MODE__HOLD;
	lease.devices = devices;
	lease.n_devices = lease.n_device_ids = 2;
	lease.device_ids = ids;
	lease.grace_ms = 2500;
	lease.kept = true;
	lease.spaces = &spaces;
	lease.n_spaces = 1;
	return fake_reply(sock, id, &lease.base, 0, NULL, 0);
}

/* As test-client.c knows it, but of mode hold. */
static int answer_claim(int sock, uint64_t id)
{
	Ioasid__V1__ClaimLeaseResponse reply =
		IOASID__V1__CLAIM_LEASE_RESPONSE__INIT;
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	char *devices[] = { (char *)DEVICE0 };
	uint32_t ids[] = { 1 };
	int fds[2], r;

	lease.name = (char *)HOLD;
	lease.mode = IOASID__V1__LEASE__MODE__HOLD;
	lease.devices = reply.devices = devices;
	lease.n_devices = lease.n_device_ids = reply.n_devices = 1;
	lease.device_ids = ids;
	reply.lease = &lease;
	fds[0] = memfd_create("iommufd", MFD_CLOEXEC);
	fds[1] = memfd_create("cdev", MFD_CLOEXEC);
	r = fake_reply(sock, id, &reply.base, 2, fds, 2);
	(void)fd_close(fds[0]);
	(void)fd_close(fds[1]);
	return r;
}

static int answer(int sock, uint64_t id, const char *method,
		  const ProtobufCBinaryData *payload)
{
	if (str_eq(method, "Spaces/ListSpaces"))
		return answer_spaces(sock, id);
	if (str_eq(method, "Spaces/SetWindows"))
		return answer_windows(sock, id, payload->data, payload->len);
	if (str_eq(method, "Spaces/GetSpace") ||
	    str_eq(method, "Spaces/CreateSpace") ||
	    str_eq(method, "Spaces/DeleteSpace") ||
	    str_eq(method, "Spaces/AttachDevice") ||
	    str_eq(method, "Spaces/DetachDevice"))
		return answer_space(sock, id);
	if (str_eq(method, "Leases/CreateLease") ||
	    str_eq(method, "Leases/AcknowledgeLease"))
		return answer_lease(sock, id);
	/* Who has it by its token only must not see it. */
	if (str_eq(method, "Leases/GetLease"))
		return memmem(payload->data, payload->len, HOLD, strlen(HOLD)) ?
		       answer_lease(sock, id) :
		       refuse(sock, id, "lease.not-found");
	if (str_eq(method, "Leases/ClaimLease"))
		return answer_claim(sock, id);
	return refuse(sock, id, "request.unknown-method");
}

static void keep(const char *method, const ProtobufCBinaryData *payload)
{
	if (seen->n == ARRAY_SIZE(seen->requests) ||
	    payload->len > sizeof(seen->requests[0].payload))
		abort();	/* which every test notices */
	(void)str_copy(seen->requests[seen->n].method, 128, method);
	seen->requests[seen->n].size = payload->len;
	if (payload->len)
		memcpy(seen->requests[seen->n].payload, payload->data,
		       payload->len);
	seen->n++;
}

static void serve(int sock)
{
	static uint8_t buf[FAKE_MAX_PACKET];
	Ioasid__V1__Envelope *e;
	const char *method;
	ssize_t n;

	(void)fake_hello(sock, "ioasid.v1");
	while ((n = recv(sock, buf, sizeof(buf), 0)) > 0) {
		e = ioasid__v1__envelope__unpack(NULL, (size_t)n, buf);
		method = str_starts(e->request->method, "ioasid.v1.");
		keep(method, &e->request->payload);
		(void)answer(sock, e->id, method, &e->request->payload);
		ioasid__v1__envelope__free_unpacked(e, NULL);
	}
	(void)fd_close(sock);
}

static int start(void **state)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED || run_start(serve);
}

static int stop(void **state)
{
	return run_stop();
}

static int setup(void **state)
{
	memset(seen, 0, sizeof(*seen));
	return 0;
}

/**
 * asked() - What the daemon was asked
 * @i:		The how manyth request
 * @method:	Which it has to be
 * @type:	Of its message
 *
 * Return: the message; protobuf_c_message_free_unpacked().
 */
static void *asked(size_t i, const char *method,
		   const ProtobufCMessageDescriptor *type)
{
	void *request;

	assert_true(i < seen->n);
	assert_string_equal(seen->requests[i].method, method);
	request = protobuf_c_message_unpack(type, NULL, seen->requests[i].size,
					    seen->requests[i].payload);
	assert_non_null(request);
	return request;
}

static void done_with(void *request)
{
	protobuf_c_message_free_unpacked(request, NULL);
}

static void assert_wish(const Ioasid__V1__WindowWish *w, uint64_t size,
			uint64_t start)
{
	assert_true(w->size == size);
	assert_int_equal(w->place_case, IOASID__V1__WINDOW_WISH__PLACE_START);
	assert_true(w->start == start);
}

/* --- leases --------------------------------------------------------------- */

static void lease_create_says_mode_grace_and_spaces(void **state)
{
	Ioasid__V1__CreateLeaseRequest *r;

	if (RUN("lease", "create", "3b:00.0", "3b:00.1", "--mode", "hold",
		"--grace", "3", "--space",
		"window size=2G,start=0,purpose=dma32; "
		"window size=1T,start=0x800000000000000;device 3b:00.1;"
		"label vm=a=b ;", "--space",
		"window=size=0x1000,page-sizes=4K+2M,around-reserved",
		"--space", "device none") != 0)
		fail_msg("%s", errors);
	assert_string_equal(out, HOLD "\n");
	r = asked(0, "Leases/CreateLease",
		  &ioasid__v1__create_lease_request__descriptor);
	assert_int_equal(r->mode, IOASID__V1__LEASE__MODE__HOLD);
	assert_int_equal(r->grace_ms, 3000);
	assert_int_equal(r->n_spaces, 3);

	assert_int_equal(r->spaces[0]->n_windows, 2);
	assert_wish(r->spaces[0]->windows[0], UINT64_C(2) << 30, 0);
	assert_int_equal(r->spaces[0]->windows[0]->purpose,
			 IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32);
	assert_wish(r->spaces[0]->windows[1], UINT64_C(1) << 40,
		    UINT64_C(1) << 59);
	assert_int_equal(r->spaces[0]->n_devices, 1);
	assert_string_equal(r->spaces[0]->devices[0], DEVICE1);
	assert_int_equal(r->spaces[0]->n_labels, 1);
	assert_string_equal(r->spaces[0]->labels[0]->key, "vm");
	assert_string_equal(r->spaces[0]->labels[0]->value, "a=b");

	/* Without a device for all of the lease. */
	assert_int_equal(r->spaces[1]->n_devices, 2);
	assert_string_equal(r->spaces[1]->devices[0], DEVICE0);
	assert_int_equal(r->spaces[1]->windows[0]->size, 0x1000);
	assert_int_equal(r->spaces[1]->windows[0]->place_case,
			 IOASID__V1__WINDOW_WISH__PLACE__NOT_SET);
	assert_int_equal(r->spaces[1]->windows[0]->page_sizes, 0x201000);
	assert_true(r->spaces[1]->windows[0]->around_reserved);

	assert_int_equal(r->spaces[2]->n_windows, 0);
	assert_int_equal(r->spaces[2]->n_devices, 0);
	done_with(r);
}

static void lease_show_tells_ids_and_spaces(void **state)
{
	assert_int_equal(RUN("lease", "show", HOLD), 0);
	assert_has(out, "Mode:             hold\n");
	assert_has(out, "Devices:          " DEVICE0 ", id 1\n");
	assert_has(out, "                  " DEVICE1 ", id 2\n");
	assert_has(out, "Grace:            2.500 s\n");
	assert_has(out, "Kept:             yes");
	assert_has(out, "Spaces:           " SPACE ", id 5, with "
			"pci-0000-3b-00.0 pci-0000-3b-00.1\n");
	assert_has(out, "0x800000000000000 to 0x80000ffffffffff\n");
}

/* Every other word is wrong, and the daemon is never asked. */
static void nonsense_of_leases_is_2(void **state)
{
	static const char *const spaces[] = {
		"windows size=1G", "window", "window ", "window=", "device",
		"device x", "label", "label x", "label =x", "size=1G",
		"device none; device 3b:00.0", "device 3b:00.0;device none",
		"window size=1G; window size=", "window start=0",
	};

	assert_int_equal(RUN("lease", "create", "3b:00.0", "--mode", "held"),
			 2);
	assert_has(errors, "'held' is none of transfer hold guarded\n");
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--grace", "3"), 2);
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--space", ""), 2);
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--mode",
			     "transfer", "--space", ""), 2);
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--mode", "hold",
			     "--grace", "601"), 2);
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
		if (RUN("lease", "create", "3b:00.0", "--mode", "hold",
			"--space", (char *)spaces[i]) != 2)
			fail_msg("--space '%s' is taken", spaces[i]);
	assert_int_equal(seen->n, 0);
}

static void lease_has_a_bounded_number_of_spaces(void **state)
{
	char *args[6 + 2 * 17 + 1] = { (char *)"ioasidctl", (char *)"lease",
				       (char *)"create", (char *)"3b:00.0",
				       (char *)"--mode", (char *)"hold" };

	for (int i = 0; i < 17; i++) {
		args[6 + 2 * i] = (char *)"--space";
		args[7 + 2 * i] = (char *)"";
	}
	assert_int_equal(run_ctl(geteuid(), args), 2);
	assert_has(errors, "at most 16 spaces");
	assert_int_equal(seen->n, 0);
}

static void run_of_a_qemu_on_hold_is_refused_before_the_claim(void **state)
{
	char path[200];

	run_qemu(path);
	assert_int_equal(RUN("run", "-l", HOLD, "--", path), 1);
	assert_has(errors, "its mode is hold");
	assert_has(errors, "transfer");
	assert_int_equal(seen->n, 1);
	assert_string_equal(seen->requests[0].method, "Leases/GetLease");
}

/* The claim goes on about another lease, which the library notices. */
static void run_of_a_qemu_on_a_lease_unseen_goes_on(void **state)
{
	assert_int_equal(RUN("run", "-l", LEASE, "--vmm=qemu", "true"), 1);
	assert_has(errors, "[client.protocol]");
	assert_int_equal(seen->n, 2);
	assert_string_equal(seen->requests[1].method, "Leases/ClaimLease");
}

static void run_of_another_program_on_hold_goes(void **state)
{
	assert_int_equal(RUN("run", "-l", HOLD, "--", "sh", "-c",
			     "readlink /proc/$$/fd/$0", "{device0}"), 0);
	assert_string_equal(out, "/memfd:cdev (deleted)\n");
}

/* --- spaces --------------------------------------------------------------- */

static void space_list_is_a_table(void **state)
{
	Ioasid__V1__ListSpacesRequest *r;

	assert_int_equal(RUN("space", "list", "--lease", "01k8a"), 0);
	assert_has(out, "SPACE                       LEASE                     "
			"  ID  WINDOWS");
	assert_has(out, "01k8cccccccccccccccccccccc  01k8hhhhhhhhhhhhhhhhhhhhhh"
			"  5   0x0 to 0x7fffffff                       "
			"pci-0000-3b-00.0\n");
	assert_has(out, "0x800000000000000 to 0x80000ffffffffff  "
			"pci-0000-3b-00.1\n");
	assert_has(out, "01k8dddddddddddddddddddddd  01k8hhhhhhhhhhhhhhhhhhhhhh"
			"  -   -  ");
	r = asked(0, "Spaces/ListSpaces",
		  &ioasid__v1__list_spaces_request__descriptor);
	assert_string_equal(r->lease, "leases/01k8a");
	done_with(r);
	assert_int_equal(RUN("space", "list", "--json"), 0);
	assert_has(out, "\"kernelId\": 5");
	assert_has(out, "\"last\": \"2147483647\"");
}

static void space_show_tells_what_the_kernel_has(void **state)
{
	assert_int_equal(RUN("space", "show", "01k8cccccccccccccccccccccc"), 0);
	assert_has(out, "Space:            " SPACE "\n");
	assert_has(out, "Lease:            " HOLD "\n");
	assert_has(out, "Labels:           vm=one\n");
	assert_has(out, "Windows:          0x0 to 0x7fffffff, 2G, pages 4K, "
			"for dma32\n");
	assert_has(out, "0x800000000000000 to 0x80000ffffffffff, 1T, "
			"pages 4K+2M, for any\n");
	assert_has(out, "Devices:          " DEVICE0 "\n");
	assert_has(out, "Kernel id:        5\n");
	assert_has(out, "I/O addresses:    0x0 to 0xfedfffff\n");
	assert_has(out, "Alignment:        4096\n");
}

static void space_create_says_all_of_it(void **state)
{
	Ioasid__V1__CreateSpaceRequest *r;

	assert_int_equal(RUN("space", "create", "-l", HOLD, "-w", "size=2G",
			     "--window", "size=1G,start=4G", "-d", "3b:00.0",
			     "--label", "vm=one", "--dry-run"), 0);
	assert_has(out, "nothing was changed");
	r = asked(0, "Spaces/CreateSpace",
		  &ioasid__v1__create_space_request__descriptor);
	assert_string_equal(r->lease, HOLD);
	assert_int_equal(r->space->n_windows, 2);
	assert_wish(r->space->windows[1], UINT64_C(1) << 30,
		    UINT64_C(4) << 30);
	assert_int_equal(r->space->n_devices, 1);
	assert_string_equal(r->space->devices[0], DEVICE0);
	assert_string_equal(r->space->labels[0]->value, "one");
	assert_true(r->dry_run);
	done_with(r);
}

/* Devices of the lease may be elsewhere: none is taken unasked. */
static void space_create_takes_no_device_unasked(void **state)
{
	Ioasid__V1__CreateSpaceRequest *r;

	assert_int_equal(RUN("space", "create", "--lease", HOLD), 0);
	r = asked(0, "Spaces/CreateSpace",
		  &ioasid__v1__create_space_request__descriptor);
	assert_int_equal(r->space->n_devices, 0);
	assert_false(r->dry_run);
	done_with(r);
}

static void space_delete_names_the_space(void **state)
{
	Ioasid__V1__DeleteSpaceRequest *r;

	assert_int_equal(RUN("space", "delete", SPACE), 0);
	assert_string_equal(out, SPACE ": deleted\n");
	r = asked(0, "Spaces/DeleteSpace",
		  &ioasid__v1__delete_space_request__descriptor);
	assert_string_equal(r->name, SPACE);
	assert_false(r->dry_run);
	done_with(r);
	assert_int_equal(RUN("space", "delete", SPACE, "-n"), 0);
	assert_has(out, "nothing was changed");
	assert_int_equal(RUN("space", "delete", SPACE, "--json"), 0);
	assert_has(out, "\"name\": \"" SPACE "\"");
}

static void attach_and_detach_name_both(void **state)
{
	Ioasid__V1__AttachDeviceRequest *attach;
	Ioasid__V1__DetachDeviceRequest *detach;

	assert_int_equal(RUN("space", "attach", SPACE, "3b:00.0"), 0);
	assert_has(out, "I/O addresses:    0x0 to 0xfedfffff\n");
	attach = asked(0, "Spaces/AttachDevice",
		       &ioasid__v1__attach_device_request__descriptor);
	assert_string_equal(attach->name, SPACE);
	assert_string_equal(attach->device, DEVICE0);
	assert_false(attach->dry_run);
	done_with(attach);
	assert_int_equal(RUN("space", "detach", SPACE, DEVICE1, "-n"), 0);
	detach = asked(1, "Spaces/DetachDevice",
		       &ioasid__v1__detach_device_request__descriptor);
	assert_string_equal(detach->device, DEVICE1);
	assert_true(detach->dry_run);
	done_with(detach);
}

/* --- windows -------------------------------------------------------------- */

static Ioasid__V1__SetWindowsRequest *asked_windows(size_t i, size_t n)
{
	Ioasid__V1__SetWindowsRequest *r;

	r = asked(i, "Spaces/SetWindows",
		  &ioasid__v1__set_windows_request__descriptor);
	assert_string_equal(r->name, SPACE);
	assert_int_equal(r->n_windows, n);
	return r;
}

static void window_set_replaces_all(void **state)
{
	Ioasid__V1__SetWindowsRequest *r;

	assert_int_equal(RUN("window", "set", SPACE, "size=1G,start=1G",
			     "size=4K"), 0);
	assert_has(out, "Windows:          0x40000000 to 0x7fffffff");
	assert_has(out, "0xab000000 to 0xab000fff");
	r = asked_windows(0, 2);
	assert_wish(r->windows[0], 1 << 30, 1 << 30);
	assert_string_equal(r->etag, "");
	done_with(r);
	assert_int_equal(RUN("window", "set", SPACE, "none", "--json"), 0);
	assert_has(out, "\"windows\": [");
	done_with(asked_windows(1, 0));
}

static void window_add_keeps_what_there_is(void **state)
{
	Ioasid__V1__SetWindowsRequest *r;

	assert_int_equal(RUN("window", "add", SPACE, "size=1G"), 0);
	assert_has(out, "0xab000000 to 0xeaffffff");
	assert_has(out, "0x800000000000000 to 0x80000ffffffffff");
	assert_string_equal(seen->requests[0].method, "Spaces/GetSpace");
	r = asked_windows(1, 3);
	assert_int_equal(r->windows[0]->place_case, 0);
	assert_wish(r->windows[1], UINT64_C(2) << 30, 0);
	assert_int_equal(r->windows[1]->page_sizes, 4096);
	assert_int_equal(r->windows[1]->purpose,
			 IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32);
	assert_wish(r->windows[2], UINT64_C(1) << 40, UINT64_C(1) << 59);
	/* Nobody else's change is undone. */
	assert_string_equal(r->etag, "e9");
	assert_false(r->dry_run);
	done_with(r);
}

static void window_resize_changes_one(void **state)
{
	Ioasid__V1__SetWindowsRequest *r;

	assert_int_equal(RUN("window", "resize", SPACE, "0x800000000000000",
			     "2T", "-n"), 0);
	r = asked_windows(1, 2);
	assert_wish(r->windows[0], UINT64_C(2) << 30, 0);
	assert_wish(r->windows[1], UINT64_C(2) << 40, UINT64_C(1) << 59);
	assert_string_equal(r->etag, "e9");
	assert_true(r->dry_run);
	done_with(r);
}

static void window_remove_leaves_the_others(void **state)
{
	Ioasid__V1__SetWindowsRequest *r;

	assert_int_equal(RUN("window", "remove", SPACE, "0"), 0);
	r = asked_windows(1, 1);
	assert_wish(r->windows[0], UINT64_C(1) << 40, UINT64_C(1) << 59);
	assert_string_equal(r->etag, "e9");
	done_with(r);
}

static void window_that_is_not_there_is_told(void **state)
{
	assert_int_equal(RUN("window", "remove", SPACE, "0x1000"), 1);
	assert_has(errors, "no window of the space begins at 0x1000");
	assert_int_equal(RUN("window", "resize", SPACE, "4K", "1G"), 1);
	assert_int_equal(seen->n, 2);
}

static void window_of_a_space_that_changed_is_told(void **state)
{
	seen->changed = true;
	assert_int_equal(RUN("window", "add", SPACE, "size=1G"), 1);
	assert_has(errors, "[request.etag-mismatch]");
}

static void more_windows_than_a_space_has_are_refused(void **state)
{
	char *args[4 + 65 + 1] = { (char *)"ioasidctl", (char *)"window",
				   (char *)"set", (char *)SPACE };

	for (int i = 0; i < 65; i++)
		args[4 + i] = (char *)"size=4K";
	assert_int_equal(run_ctl(geteuid(), args), 2);
	assert_has(errors, "more than 64 windows");
	assert_int_equal(seen->n, 0);
	/* 63 and the two that there are. */
	args[2] = (char *)"add";
	args[4 + 63] = NULL;
	assert_int_equal(run_ctl(geteuid(), args), 1);
	assert_has(errors, "64 windows");
	assert_int_equal(seen->n, 1);
}

static void nonsense_of_windows_is_2(void **state)
{
	static const char *const windows[] = {
		"", "size", "size=", "size=x", "size=1G,", ",size=1G",
		"size=-1", "size=1GG", "size=0x", "size=0x1G",
		"size=18446744073709551616", "size=17179869184G",
		"size=0x10000000000000000", "start=0", "size=1G,size=1G",
		"size=1G,start", "size=1G,start=", "size=1G,start=+1",
		"size=1G,page-sizes=3K", "size=1G,page-sizes=4K+",
		"size=1G,page-sizes=4K+4K", "size=1G,page-sizes=0",
		"size=1G,purpose=", "size=1G,purpose=dma64", "size=1G,at=0",
		"size=1G,around-reserved=", "size=1G,around-reserved=yes",
		"size=1G, start=0", "none", "SIZE=1G",
	};

	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		if (RUN("window", "add", SPACE, (char *)windows[i]) != 2)
			fail_msg("'%s' is taken: %s", windows[i], errors);
	assert_int_equal(RUN("window", "set", SPACE), 2);
	assert_int_equal(RUN("window", "set", SPACE, "none", "size=1G"), 2);
	assert_int_equal(RUN("window", "set", LEASE, "size=1G"), 2);
	assert_int_equal(RUN("window", "resize", SPACE, "0"), 2);
	assert_int_equal(RUN("window", "resize", SPACE, "x", "1G"), 2);
	assert_int_equal(RUN("window", "resize", SPACE, "0", "x"), 2);
	assert_int_equal(RUN("window", "remove", SPACE, "x"), 2);
	assert_int_equal(RUN("window", "remove", SPACE), 2);
	assert_int_equal(RUN("space", "create"), 2);
	assert_int_equal(RUN("space", "create", "-l", SPACE), 2);
	assert_int_equal(RUN("space", "create", "-l", HOLD, "-w", "x"), 2);
	assert_int_equal(RUN("space", "create", "-l", HOLD, "-d", "x"), 2);
	assert_int_equal(RUN("space", "create", "-l", HOLD, "--label", "x"),
			 2);
	assert_int_equal(RUN("space", "show", "leases/x"), 2);
	assert_int_equal(RUN("space", "attach", SPACE), 2);
	assert_int_equal(RUN("space", "attach", SPACE, "x"), 2);
	assert_int_equal(RUN("space", "detach", "x/y", "3b:00.0"), 2);
	assert_int_equal(seen->n, 0);
}

static void every_verb_has_help(void **state)
{
	assert_int_equal(RUN("lease", "create", "-h"), 0);
	assert_has(out, "--space SPACE");
	assert_has(out, "A WINDOW is size=SIZE");
	assert_int_equal(RUN("space", "list", "-h"), 0);
	assert_int_equal(RUN("space", "show", "-h"), 0);
	assert_int_equal(RUN("space", "create", "-h"), 0);
	assert_int_equal(RUN("space", "delete", "-h"), 0);
	assert_int_equal(RUN("space", "attach", "-h"), 0);
	assert_int_equal(RUN("space", "detach", "-h"), 0);
	assert_int_equal(RUN("window", "set", "-h"), 0);
	assert_int_equal(RUN("window", "add", "-h"), 0);
	assert_int_equal(RUN("window", "resize", "-h"), 0);
	assert_int_equal(RUN("window", "remove", "-h"), 0);
	assert_has(out, "--dry-run");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lease_create_says_mode_grace_and_spaces),
		TEST(lease_show_tells_ids_and_spaces),
		TEST(nonsense_of_leases_is_2),
		TEST(lease_has_a_bounded_number_of_spaces),
		TEST(run_of_a_qemu_on_hold_is_refused_before_the_claim),
		TEST(run_of_a_qemu_on_a_lease_unseen_goes_on),
		TEST(run_of_another_program_on_hold_goes),
		TEST(space_list_is_a_table),
		TEST(space_show_tells_what_the_kernel_has),
		TEST(space_create_says_all_of_it),
		TEST(space_create_takes_no_device_unasked),
		TEST(space_delete_names_the_space),
		TEST(attach_and_detach_name_both),
		TEST(window_set_replaces_all),
		TEST(window_add_keeps_what_there_is),
		TEST(window_resize_changes_one),
		TEST(window_remove_leaves_the_others),
		TEST(window_that_is_not_there_is_told),
		TEST(window_of_a_space_that_changed_is_told),
		TEST(more_windows_than_a_space_has_are_refused),
		TEST(nonsense_of_windows_is_2),
		TEST(every_verb_has_help),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
