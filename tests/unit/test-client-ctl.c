/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-ctl.c - ioasidctl, the real program, against a fake daemon
 *
 * The fake daemon is a child process that answers by method; what it has seen
 * (who connected, who claimed) it tells through shared memory. What needs root,
 * to become somebody else, is skipped without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel/sim/sim.h"
#include "test-client-run.h"

#define LEASE "leases/01k8aaaaaaaaaaaaaaaaaaaaaa"
#define OPERATION "operations/01k8bbbbbbbbbbbbbbbbbbbbbb"
#define DEVICE0 "devices/pci-0000-3b-00.0"
#define NOBODY 65534

/**
 * struct seen - What the fake daemon has seen; shared memory
 * @offers:		How many offers were made
 * @offer_uid:		Addressed to whom
 * @offer_pid:		Addressed to which process
 * @offer_unlimited:	With unlimited memlock
 * @offer_memlock:	With this one
 * @offer_restore:	To be restored
 * @offer_expires:	It has an end
 * @offer_by:		Who made it
 * @claim_by:		Who claimed
 * @acknowledged:	It was acknowledged
 * @releases:		How many were released
 */
struct seen {
	int offers;
	uint32_t offer_uid;
	int32_t offer_pid;
	bool offer_unlimited;
	uint64_t offer_memlock;
	bool offer_restore;
	bool offer_expires;
	struct ucred offer_by;
	struct ucred claim_by;
	int acknowledged;
	int releases;
};

static struct seen *seen;

/* --- the fake daemon ------------------------------------------------------ */

static int refuse(int sock, uint64_t id, const char *which)
{
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	Ioasid__V1__Cause cause = IOASID__V1__CAUSE__INIT;
	Ioasid__V1__Cause *causes = &cause;

	error.id = (char *)which;
	error.message = (char *)"it is \033[31mso";
	error.remedy = (char *)"something else";
	cause.kind = (char *)"mount";
	cause.name = (char *)"/srv";
	cause.detail = (char *)"is on it";
	error.causes = &causes;
	error.n_causes = 1;
	return fake_error(sock, id, &error, NULL, 0);
}

static int answer_version(int sock, uint64_t id)
{
	Ioasid__V1__Version v = IOASID__V1__VERSION__INIT;

	v.daemon = (char *)"9.8.7";
	v.backend = (char *)"iommufd";
	v.kernel = (char *)"7.3.4";
	v.revision = UINT64_MAX;
	return fake_reply(sock, id, &v.base, 0, NULL, 0);
}

static int answer_devices(int sock, uint64_t id)
{
	Ioasid__V1__ListDevicesResponse reply =
		IOASID__V1__LIST_DEVICES_RESPONSE__INIT;
	Ioasid__V1__Device device[3];
	Ioasid__V1__Device *devices[] = { &device[0], &device[1], &device[2] };
	Ioasid__V1__PciDetails pci[3];
	Ioasid__V1__IovaRange ranges[2], *range[] = { &ranges[0], &ranges[1] };
	Ioasid__V1__Capabilities caps = IOASID__V1__CAPABILITIES__INIT;
	Google__Protobuf__Timestamp probed = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	fake_device(&device[0], &pci[0], DEVICE0, "0000:3b:00.0");
	probed.seconds = 1763863421;
	probed.nanos = 120000000;
	caps.probed = &probed;
	caps.hw_info.data = (uint8_t *)"\x00\xff\x10\x80";
	caps.hw_info.len = 4;
	caps.hw_info_type = 1;
	caps.nest_parent = true;
	ioasid__v1__iova_range__init(&ranges[0]);
	ioasid__v1__iova_range__init(&ranges[1]);
	ranges[0].last = 0xfedfffff;
	ranges[1].start = 0xfef00000;
	ranges[1].last = 0x7fffffff0fff;
	caps.iova_ranges = range;
	caps.n_iova_ranges = 2;
	device[0].capabilities = &caps;
	device[0].former_driver = (char *)"edu";
	device[0].iommu = (char *)"iommus/dmar0";
	device[0].isolated_msi = IOASID__V1__DEVICE__ISOLATED_MSI__YES;
	pci[0].sriov_total = 4;
	fake_device(&device[1], &pci[1], "devices/pci-0000-3b-00.1",
		    "0000:3b:00.1");
	device[1].state = IOASID__V1__DEVICE__STATE__QUARANTINED;
	device[1].state_reason = (char *)"reads all-ones";
	device[1].numa_node = -1;
	fake_device(&device[2], &pci[2], "devices/pci-0000-3b-02.0",
		    "0000:3b:02.0");
	device[2].state = IOASID__V1__DEVICE__STATE__FOREIGN;
	device[2].driver = (char *)"odd-vfio";
	pci[2].physical_function = (char *)DEVICE0;
	reply.devices = devices;
	reply.n_devices = 3;
	return fake_reply(sock, id, &reply.base, 0, NULL, 0);
}

static int answer_groups(int sock, uint64_t id)
{
	Ioasid__V1__ListGroupsResponse reply =
		IOASID__V1__LIST_GROUPS_RESPONSE__INIT;
	Ioasid__V1__Group group = IOASID__V1__GROUP__INIT, *groups = &group;
	Ioasid__V1__ReservedRegion msi = IOASID__V1__RESERVED_REGION__INIT;
	Ioasid__V1__ReservedRegion top = IOASID__V1__RESERVED_REGION__INIT;
	Ioasid__V1__ReservedRegion *regions[] = { &msi, &top };

	group.name = (char *)"groups/pci-0000-3b-00.0";
	group.number = 13;
	group.type = (char *)"DMA-FQ";
	msi.start = 0xfee00000;
	msi.last = 0xfeefffff;
	msi.type = (char *)"msi";
	/* Behind the last address that can be used: the aperture goes on. */
	top.start = 0x7fffffff1000;
	top.last = 0x7fffffffffff;
	top.type = (char *)"reserved";
	group.reserved_regions = regions;
	group.n_reserved_regions = 2;
	reply.groups = &groups;
	reply.n_groups = 1;
	return fake_reply(sock, id, &reply.base, 0, NULL, 0);
}

static int answer_iommus(int sock, uint64_t id)
{
	Ioasid__V1__ListIommusResponse reply =
		IOASID__V1__LIST_IOMMUS_RESPONSE__INIT;
	Ioasid__V1__Iommu iommu[2], *iommus[] = { &iommu[0], &iommu[1] };
	Ioasid__V1__Register cap = IOASID__V1__REGISTER__INIT, *registers = &cap;

	ioasid__v1__iommu__init(&iommu[0]);
	ioasid__v1__iommu__init(&iommu[1]);
	cap.name = (char *)"cap";
	cap.value = (char *)"d2008c222f0686";
	iommu[0].name = (char *)"iommus/dmar0";
	iommu[0].family = (char *)"vt-d";
	iommu[0].registers = &registers;
	iommu[0].n_registers = 1;
	iommu[1].name = (char *)"iommus/ivhd0";
	iommu[1].family = (char *)"amd-vi";
	reply.iommus = iommus;
	reply.n_iommus = 2;
	return fake_reply(sock, id, &reply.base, 0, NULL, 0);
}

/* Which way an operation ends hangs on the driver asked for. */
static int answer_prepare(int sock, uint64_t id,
			  const Ioasid__V1__PrepareDeviceRequest *request)
{
	Ioasid__V1__Operation op = IOASID__V1__OPERATION__INIT;
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	Ioasid__V1__Step step = IOASID__V1__STEP__INIT, *steps = &step;

	if (str_eq(request->driver, "refused"))
		return refuse(sock, id, "device.in-use");
	op.name = (char *)OPERATION;
	op.kind = (char *)"prepare";
	op.target = request->name;
	op.state = IOASID__V1__OPERATION__STATE__RUNNING;
	step.object = request->name;
	step.act = (char *)"unbind";
	step.result = (char *)"ok";
	step.took_us = 12345;
	op.steps = &steps;
	op.n_steps = 1;
	if (str_eq(request->driver, "fails")) {
		op.state = IOASID__V1__OPERATION__STATE__FAILED;
		error.id = (char *)"device.blocked";
		error.message = (char *)"nvme did not let go";
		op.error = &error;
	}
	return fake_reply(sock, id, &op.base, 0, NULL, 0);
}

/* Ends at once, unless the wait is for a moment only. */
static int answer_wait(int sock, uint64_t id,
		       const Ioasid__V1__WaitOperationRequest *request)
{
	Ioasid__V1__Operation op = IOASID__V1__OPERATION__INIT;

	op.name = request->name;
	op.kind = (char *)"prepare";
	op.target = (char *)DEVICE0;
	op.state = IOASID__V1__OPERATION__STATE__DONE;
	if (request->timeout_ms <= 1000) {
		(void)usleep(request->timeout_ms * 1000);
		op.state = IOASID__V1__OPERATION__STATE__RUNNING;
	}
	return fake_reply(sock, id, &op.base, 0, NULL, 0);
}

static int answer_offer(int sock, uint64_t id,
			const Ioasid__V1__CreateLeaseRequest *request,
			const struct ucred *who)
{
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	Ioasid__V1__Lease__LabelsEntry label =
		IOASID__V1__LEASE__LABELS_ENTRY__INIT;
	Ioasid__V1__Lease__LabelsEntry *labels = &label;

	seen->offers++;
	seen->offer_uid = request->claimant->uid;
	seen->offer_pid = request->claimant->pid;
	seen->offer_unlimited = request->memlock_unlimited;
	seen->offer_memlock = request->memlock_bytes;
	seen->offer_restore = request->restore_after;
	seen->offer_expires = request->expires;
	seen->offer_by = *who;
	lease.name = (char *)LEASE;
	lease.devices = request->devices;
	lease.n_devices = request->n_devices;
	if (request->n_labels) {
		label.key = request->labels[0]->key;
		label.value = request->labels[0]->value;
		lease.labels = &labels;
		lease.n_labels = 1;
	}
	return fake_reply(sock, id, &lease.base, 0, NULL, 0);
}

static int answer_claim(int sock, uint64_t id,
			const Ioasid__V1__ClaimLeaseRequest *request,
			const struct ucred *who)
{
	Ioasid__V1__ClaimLeaseResponse reply =
		IOASID__V1__CLAIM_LEASE_RESPONSE__INIT;
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	char *devices[] = { (char *)DEVICE0 };
	int fds[2], r;

	if (!str_eq(request->name, LEASE))
		return refuse(sock, id, "lease.not-claimant");
	seen->claim_by = *who;
	lease.name = (char *)LEASE;
	lease.devices = reply.devices = devices;
	lease.n_devices = reply.n_devices = 1;
	reply.lease = &lease;
	fds[0] = memfd_create("iommufd", MFD_CLOEXEC);
	fds[1] = memfd_create("cdev", MFD_CLOEXEC);
	r = fake_reply(sock, id, &reply.base, 2, fds, 2);
	(void)fd_close(fds[0]);
	(void)fd_close(fds[1]);
	return r;
}

static int answer_lease(int sock, uint64_t id, int *counter)
{
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;

	(*counter)++;
	lease.name = (char *)LEASE;
	lease.state = IOASID__V1__LEASE__STATE__ENDED;
	return fake_reply(sock, id, &lease.base, 0, NULL, 0);
}

/* The request's type by its method; NULL if its content is of no interest. */
static const ProtobufCMessageDescriptor *type_of(const char *method)
{
	if (str_eq(method, "Devices/PrepareDevice"))
		return &ioasid__v1__prepare_device_request__descriptor;
	if (str_eq(method, "Operations/WaitOperation"))
		return &ioasid__v1__wait_operation_request__descriptor;
	if (str_eq(method, "Leases/CreateLease"))
		return &ioasid__v1__create_lease_request__descriptor;
	if (str_eq(method, "Leases/ClaimLease"))
		return &ioasid__v1__claim_lease_request__descriptor;
	return NULL;
}

static int answer(int sock, uint64_t id, const char *method, void *request,
		  const struct ucred *who)
{
	if (str_eq(method, "Host/GetVersion"))
		return answer_version(sock, id);
	if (str_eq(method, "Devices/ListDevices"))
		return answer_devices(sock, id);
	if (str_eq(method, "Groups/ListGroups"))
		return answer_groups(sock, id);
	if (str_eq(method, "Iommus/ListIommus"))
		return answer_iommus(sock, id);
	if (str_eq(method, "Devices/PrepareDevice"))
		return answer_prepare(sock, id, request);
	if (str_eq(method, "Operations/WaitOperation"))
		return answer_wait(sock, id, request);
	if (str_eq(method, "Leases/CreateLease"))
		return answer_offer(sock, id, request, who);
	if (str_eq(method, "Leases/ClaimLease"))
		return answer_claim(sock, id, request, who);
	if (str_eq(method, "Leases/AcknowledgeLease"))
		return answer_lease(sock, id, &seen->acknowledged);
	if (str_eq(method, "Leases/ReleaseLease"))
		return answer_lease(sock, id, &seen->releases);
	return refuse(sock, id, "request.unknown-method");
}

static void serve(int sock)
{
	struct ucred who;
	socklen_t size = sizeof(who);
	char method[128];
	uint64_t id;
	void *request;

	(void)getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &size);
	(void)fake_hello(sock, "ioasid.v1");
	/* Twice: once to see what it is, which leaves it in the buffer. */
	for (;;) {
		static uint8_t buf[FAKE_MAX_PACKET];
		Ioasid__V1__Envelope *e;
		ssize_t n = recv(sock, buf, sizeof(buf), MSG_PEEK);

		if (n <= 0)
			break;
		e = ioasid__v1__envelope__unpack(NULL, (size_t)n, buf);
		(void)str_copy(method, sizeof(method),
			       str_starts(e->request->method, "ioasid.v1."));
		ioasid__v1__envelope__free_unpacked(e, NULL);
		request = fake_receive(sock, type_of(method), &id, method);
		if (!request || answer(sock, id, method, request, &who) < 0)
			break;
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

static void version_tells_both(void **state)
{
	assert_int_equal(RUN("version"), 0);
	assert_has(out, "ioasidctl:");
	assert_has(out, "9.8.7");
	assert_has(out, "18446744073709551615");
}

static void devices_are_a_table(void **state)
{
	if (RUN("devices", "-a") != 0)
		fail_msg("%s", errors);
	assert_has(out, "DEVICE        STATE        DRIVER    GROUP");
	assert_has(out, "0000:3b:00.0  ready        vfio-pci  pci-0000-3b-00.0"
			"  1 ");
	assert_has(out, "0000:3b:00.1  quarantined  vfio-pci  pci-0000-3b-00.0"
			"  - ");
	assert_has(out, "\n    reads all-ones\n");
	assert_has(out, "1234");	/* the vendor has no name, or it says */
}

static void json_is_the_mapping_of_proto3(void **state)
{
	assert_int_equal(RUN("--json", "devices"), 0);
	assert_has(out, "\"revision\": \"7\"");
	assert_has(out, "\"state\": \"READY\"");
	assert_has(out, "\"stateReason\": \"\"");
	assert_has(out, "\"numaNode\": -1");
	assert_has(out, "\"bridge\": false");
	assert_has(out, "\"vendor\": 4660");
	assert_has(out, "\"virtualFunctions\":");
	assert_has(out, "\"class\": 65280");
	assert_has(out, "\"probed\": \"2025-11-23T02:03:41.120Z\"");
	assert_has(out, "\"hwInfo\": \"AP8QgA==\"");
	assert_has(out, "\"nextPageToken\": \"\"");
	/* An absent message is absent. */
	assert_null(strstr(strstr(out, "00.1"), "\"capabilities\""));
	/* A map is an object. */
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--json", "--label",
			     "vm=one=two"), 0);
	assert_has(out, "\"labels\": {\n    \"vm\": \"one=two\"\n  }");
	assert_has(out, "\"memlockBytes\": \"0\"");
}

static void prepare_waits_for_the_end(void **state)
{
	assert_int_equal(RUN("prepare", "3b:00.0", "--force"), 0);
	assert_has(out, "prepare devices/pci-0000-3b-00.0: done");
}

static void prepare_need_not_wait(void **state)
{
	assert_int_equal(RUN("prepare", "--no-wait", DEVICE0), 0);
	assert_string_equal(out, OPERATION "\n");
}

static void refusal_is_explained(void **state)
{
	assert_int_equal(RUN("prepare", "3b:00.0", "--driver", "refused"), 1);
	/* And its escape sequence does not reach the terminal. */
	assert_string_equal(errors,
			    "ioasidctl: devices/pci-0000-3b-00.0: "
			    "it is ?[31mso [device.in-use]\n"
			    "  mount /srv: is on it\n"
			    "try: something else\n");
}

static void failed_operation_shows_steps_and_error(void **state)
{
	assert_int_equal(RUN("prepare", "0000:3b:00.0", "--driver=fails"), 1);
	assert_has(out, "failed");
	assert_has(out, "  pci-0000-3b-00.0  unbind  -  12.3 ms  ok");
	assert_has(errors, "nvme did not let go [device.blocked]");
}

static void operation_that_runs_on_is_4(void **state)
{
	assert_int_equal(RUN("prepare", "3b:00.0", "-t", "1"), 4);
	assert_has(errors, "still running");
	assert_has(errors, OPERATION);
}

static void daemon_out_of_reach_is_3(void **state)
{
	assert_int_equal(RUN("devices", "--socket", "/nonexistent"), 3);
	assert_has(errors, "[client.unreachable]");
}

static void nonsense_is_2(void **state)
{
	assert_int_equal(RUN("frobnicate"), 2);
	assert_int_equal(RUN("lease"), 2);
	assert_int_equal(RUN("devices", "--frobnicate"), 2);
	assert_int_equal(RUN("devices", "surplus"), 2);
	assert_int_equal(RUN("prepare"), 2);
	assert_int_equal(RUN("prepare", "3b:00"), 2);
	assert_int_equal(RUN("prepare", "3b:00.8"), 2);
	assert_int_equal(RUN("prepare", "3b:20.0"), 2);
	assert_int_equal(RUN("prepare", "3b:00.0x"), 2);
	assert_int_equal(RUN("prepare", "devices/\n"), 2);
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--memlock", "x"),
			 2);
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--memory", "1X"),
			 2);
	assert_int_equal(RUN("lease", "create", "3b:00.0", "--label", "x"), 2);
	assert_int_equal(RUN("lease", "show", "operations/x"), 2);
	assert_int_equal(RUN("-t", "-1", "devices"), 2);
	assert_int_equal(RUN("run", "--device", "3b:00.0"), 2);
	assert_int_equal(RUN("run", "--", "true"), 2);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "-l", LEASE, "true"), 2);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "--vmm", "vi", "true"), 2);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "echo", "{device1}"), 2);
	assert_int_equal(seen->offers, 0);
}

static void every_verb_has_help(void **state)
{
	assert_int_equal(RUN("--help"), 0);
	assert_has(out, "Exit codes:");
	assert_int_equal(RUN("devices", "--help"), 0);
	assert_has(out, "-a, --all");
	assert_int_equal(RUN("device", "show", "-h"), 0);
	assert_int_equal(RUN("device", "recover", "-h"), 0);
	assert_int_equal(RUN("groups", "-h"), 0);
	assert_int_equal(RUN("prepare", "-h"), 0);
	assert_has(out, "--allow-unsafe-interrupts");
	assert_int_equal(RUN("restore", "-h"), 0);
	assert_int_equal(RUN("lease", "create", "-h"), 0);
	assert_int_equal(RUN("lease", "list", "-h"), 0);
	assert_int_equal(RUN("lease", "show", "-h"), 0);
	assert_int_equal(RUN("lease", "release", "-h"), 0);
	assert_int_equal(RUN("operation", "list", "-h"), 0);
	assert_int_equal(RUN("operation", "show", "-h"), 0);
	assert_int_equal(RUN("run", "-h"), 0);
	assert_has(out, "{iommufd}");
	assert_has(out, "126");
	assert_int_equal(RUN("machine", "capture", "-h"), 0);
	assert_int_equal(RUN("version", "-h"), 0);
}

/* What is captured makes a simulated machine that is like the host. */
static void capture_describes_the_host(void **state)
{
	const struct sim_device *d;
	struct error err = ERROR_NULL;
	struct sim *sim;

	if (RUN("machine", "capture") != 0)
		fail_msg("%s", errors);
	if (sim_describe(out, "captured", &sim, &err))
		fail_msg("%s\n%s", err.msg, out);
	assert_string_equal(sim->info.release, "7.3.4");
	assert_true(sim->info.iommufd);
	assert_int_equal(sim->isolated_msi, ISOLATED_MSI_YES);
	assert_int_equal(sim->n_vfio_drivers, 2);
	assert_string_equal(sim->vfio_drivers[1], "odd-vfio");

	assert_int_equal(sim->n_iommus, 2);
	assert_string_equal(sim->iommus[0]->facts.name, "dmar0");
	assert_string_equal(sim->iommus[0]->facts.registers[0].value,
			    "d2008c222f0686");
	assert_true(sim->iommus[0]->aperture.start == 0);
	assert_true(sim->iommus[0]->aperture.last == 0x7fffffffffff);
	assert_int_equal(sim->iommus[0]->hw.type, 1);
	assert_memory_equal(sim->iommus[0]->hw.data, "\x00\xff\x10\x80", 4);
	assert_true(sim->iommus[0]->nest_parent);
	assert_int_equal(sim->iommus[0]->nested_type, 1);
	/* Not probed: what AMD's mostly have, and it is said. */
	assert_true(sim->iommus[1]->aperture.last == UINT64_MAX);
	assert_false(sim->iommus[1]->hw_supported);
	assert_has(out, "No device behind it was probed");

	assert_int_equal(sim->n_groups, 1);
	assert_int_equal(sim->groups[0]->facts.number, 13);
	assert_string_equal(sim->groups[0]->facts.type, "DMA-FQ");
	assert_int_equal(sim->groups[0]->facts.n_reserved, 2);

	d = sim_device(sim, "0000:3b:00.0");
	assert_int_equal(d->facts.vendor, 0x1234);
	assert_int_equal(d->facts.class, 0x00ff00);
	assert_int_equal(d->facts.numa_node, 1);
	assert_int_equal(d->facts.group, 13);
	assert_string_equal(d->facts.iommu, "dmar0");
	assert_string_equal(d->facts.driver, "edu");
	assert_int_equal(d->facts.sriov_total, 4);
	assert_int_equal(d->facts.sriov_num, 1);
	assert_int_equal(d->bar_size[0], 1 << 20);
	assert_int_equal(sim_device(sim, "0000:3b:00.1")->facts.numa_node, -1);
	d = sim_device(sim, "0000:3b:02.0");
	assert_string_equal(d->facts.physfn, "0000:3b:00.0");
	assert_string_equal(d->facts.driver, "odd-vfio");
	assert_true(d->facts.vfio);
	sim_free(sim);
}

/* What a command sees of itself: who it is, and what it inherited. */
#define LOOK "cat /proc/self/status; echo pid $$; " \
	     "for f in /proc/$$/fd/*; do echo fd ${f##*/} $(readlink $f); done;"

static void run_holds_only_what_it_claimed(void **state)
{
	char pid[32];
	int stray;

	if (geteuid() != 0)
		skip();
	/* Something that our own parent forgot to close. */
	stray = open("/dev/zero", O_RDONLY);
	assert_int_equal(RUN("run", "--device", "3b:00.0", "--uid", "65534",
			     "--gid", "65533", "--memlock", "unlimited",
			     "--restore", "--", "sh", "-c",
			     LOOK "echo got $0 $1", "{iommufd}",
			     "x{device0}{devices}"), 0);
	(void)fd_close(stray);
	assert_has(out, "Uid:\t65534\t65534\t65534\t65534");
	assert_has(out, "Gid:\t65533\t65533\t65533\t65533");
	assert_has(out, "Groups:\t \n");
	assert_has(out, "CapInh:\t0000000000000000");
	assert_has(out, "CapPrm:\t0000000000000000");
	assert_has(out, "CapEff:\t0000000000000000");
	assert_has(out, "CapBnd:\t0000000000000000");
	assert_has(out, "CapAmb:\t0000000000000000");
	assert_has(out, "NoNewPrivs:\t1");
	assert_has(out, "memfd:iommufd");
	assert_has(out, "memfd:cdev");
	assert_null(strstr(out, "socket:"));
	assert_null(strstr(out, "zero"));

	assert_int_equal(seen->offers, 1);
	assert_int_equal(seen->offer_uid, NOBODY);
	assert_true(seen->offer_unlimited);
	assert_true(seen->offer_restore);
	assert_true(seen->offer_expires);
	assert_int_equal(seen->offer_by.uid, 0);
	assert_int_equal(seen->claim_by.uid, NOBODY);
	assert_int_equal(seen->claim_by.gid, 65533);
	assert_int_equal(seen->acknowledged, 1);
	/* Offered to, claimed by and executed in one process. */
	assert_int_equal(seen->offer_pid, seen->claim_by.pid);
	(void)str_format(pid, sizeof(pid), "pid %d\n", seen->claim_by.pid);
	assert_has(out, pid);
}

/* A host that has never seen udev may have no group kvm: then this process, and
 * what it starts, gets an /etc/group with one, in a mount namespace of its own.
 */
static const struct group *group_kvm(void)
{
	char path[] = "/tmp/test-client-ctl.group.XXXXXX";
	char text[65536];
	ssize_t size;
	int fd;

	if (getgrnam("kvm"))
		return getgrnam("kvm");
	size = fd_read_file(AT_FDCWD, "/etc/group", text, sizeof(text));
	assert_true(size >= 0);
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(write(fd, "kvm:x:64055:\n", 13), 13);
	assert_int_equal(fchmod(fd, 0644), 0);
	fd_close(fd);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount(path, "/etc/group", NULL, MS_BIND, NULL), 0);
	unlink(path);
	return getgrnam("kvm");
}

static void run_knows_users_by_name_and_keeps_kvm(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	const struct group *kvm;
	char words[64];

	if (geteuid() != 0 || !nobody)
		skip();
	kvm = group_kvm();
	assert_non_null(kvm);
	(void)str_format(words, sizeof(words), "%u %u %u %u\n", nobody->pw_uid,
			 nobody->pw_gid, nobody->pw_gid, kvm->gr_gid);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "-u", "nobody", "-k", "--",
			     "sh", "-c", "echo $(id -u) $(id -g) $(id -G)"),
			 0);
	assert_string_equal(out, words);
	assert_int_equal(seen->offer_uid, nobody->pw_uid);
}

static void run_tells_the_right_numbers(void **state)
{
	assert_int_equal(RUN("run", "-d", "3b:00.0", "--", "sh", "-c",
			     "readlink /proc/$$/fd/$0; readlink /proc/$$/fd/$1",
			     "{iommufd}", "{device0}"), 0);
	assert_string_equal(out, "/memfd:iommufd (deleted)\n"
				 "/memfd:cdev (deleted)\n");
}

static void run_tells_qemu_by_its_options(void **state)
{
	char path[200], words[300];
	int iommufd, device;

	run_qemu(path);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "--", path, "-m", "1G"),
			 0);
	assert_int_equal(sscanf(out, "-m 1G -object iommufd,id=ioasid0,fd=%d "
				"-device vfio-pci,id=pci-0000-3b-00.0,"
				"iommufd=ioasid0,fd=%d\n", &iommufd, &device),
			 2);
	(void)str_format(words, sizeof(words), "-m 1G -object "
			 "iommufd,id=ioasid0,fd=%d -device vfio-pci,"
			 "id=pci-0000-3b-00.0,iommufd=ioasid0,fd=%d\n",
			 iommufd, device);
	assert_string_equal(out, words);
	/* Any other command only if it is said. */
	assert_int_equal(RUN("run", "--vmm=qemu", "-d", "3b:00.0", "echo"), 0);
	assert_has(out, "-object iommufd,id=ioasid0");
	assert_int_equal(RUN("run", "--vmm=none", "-d", "3b:00.0", path, "{x}"),
			 0);
	assert_string_equal(out, "{x}\n");
}

static void run_claims_what_was_offered(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(RUN_AS(NOBODY, "run", "--lease",
				"01k8aaaaaaaaaaaaaaaaaaaaaa", "id", "-u"), 0);
	assert_string_equal(out, "65534\n");
	assert_int_equal(seen->offers, 0);
	assert_int_equal(seen->claim_by.uid, NOBODY);
	assert_int_equal(seen->acknowledged, 1);
}

static void run_as_another_user_needs_root(void **state)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(RUN_AS(NOBODY, "run", "-d", "3b:00.0", "-u", "0",
				"true"), 1);
	assert_has(errors, "must be root");
	assert_int_equal(seen->offers, 0);
}

static void run_passes_a_refusal_on(void **state)
{
	assert_int_equal(RUN("run", "-l", "leases/other", "true"), 1);
	assert_has(errors, "leases/other: ");
	assert_has(errors, "[lease.not-claimant]");
}

static void run_of_other_devices_than_asked_for_fails(void **state)
{
	assert_int_equal(RUN("run", "-d", "3b:00.1", "true"), 1);
	assert_has(errors, "other devices");
}

static void run_tells_why_it_cannot_execute(void **state)
{
	assert_int_equal(RUN("run", "-d", "3b:00.0", "no-such-command"), 127);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "/nonexistent/x"), 127);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "/etc/passwd"), 126);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "/etc"), 126);
	/* No device was reset for that. */
	assert_int_equal(seen->offers, 0);
	assert_int_equal(RUN("run", "-d", "3b:00.0", "sh", "-c", "exit 42"),
			 42);
}

static void lease_create_prints_the_name(void **state)
{
	assert_int_equal(RUN("lease", "create", "3b:00.0", "-u", "64055", "-p",
			     "77", "--memlock", "2G"), 0);
	assert_string_equal(out, LEASE "\n");
	assert_int_equal(seen->offer_uid, 64055);
	assert_int_equal(seen->offer_pid, 77);
	assert_int_equal(seen->offer_memlock, 2147483648);
	assert_false(seen->offer_expires);
	assert_int_equal(RUN("lease", "release", LEASE), 0);
	assert_string_equal(out, LEASE ": ended\n");
	assert_int_equal(seen->releases, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(version_tells_both),
		TEST(devices_are_a_table),
		TEST(json_is_the_mapping_of_proto3),
		TEST(prepare_waits_for_the_end),
		TEST(prepare_need_not_wait),
		TEST(refusal_is_explained),
		TEST(failed_operation_shows_steps_and_error),
		TEST(operation_that_runs_on_is_4),
		TEST(daemon_out_of_reach_is_3),
		TEST(nonsense_is_2),
		TEST(every_verb_has_help),
		TEST(capture_describes_the_host),
		TEST(run_holds_only_what_it_claimed),
		TEST(run_knows_users_by_name_and_keeps_kvm),
		TEST(run_tells_the_right_numbers),
		TEST(run_tells_qemu_by_its_options),
		TEST(run_claims_what_was_offered),
		TEST(run_as_another_user_needs_root),
		TEST(run_passes_a_refusal_on),
		TEST(run_of_other_devices_than_asked_for_fails),
		TEST(run_tells_why_it_cannot_execute),
		TEST(lease_create_prints_the_name),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
