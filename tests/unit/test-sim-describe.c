/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-describe.c - descriptions of machines: what becomes of them, and
 *			 what is said, with which line, of those that are wrong
 *
 * Runs in the project's folder: it reads packaging/machines.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/sim/describe.h"
#include "kernel/sim/locate.h"
#include "kernel/sim/sim.h"

#define MACHINES "packaging/machines/"
#define TEXT_MAX (4 << 20)

/* read_file() - A file of packaging/machines; to be freed. */
static char *read_file(const char *name)
{
	char *text = malloc(TEXT_MAX), path[128];

	assert_non_null(text);
	snprintf(path, sizeof(path), MACHINES "%s", name);
	if (fd_read_file(AT_FDCWD, path, text, TEXT_MAX) <= 0)
		fail_msg("cannot read %s; the test runs in the project's folder",
			 path);

	return text;
}

/* machine() - A description that is right. */
static struct sim *machine(const char *text)
{
	struct error err = ERROR_NULL;
	struct sim *sim = NULL;

	if (sim_describe(text, "m.json", &sim, &err))
		fail_msg("%s", err.msg);

	return sim;
}

/* refused_with() - A description that is wrong, with what the words begin and end.
 */
static void refused_with(const char *text, const char *begin, const char *end)
{
	struct error err = ERROR_NULL;
	struct sim *sim = NULL;
	int r = sim_describe(text, "m.json", &sim, &err);

	if (!r) {
		sim_free(sim);
		fail_msg("accepted, instead of: %s", begin);
	}
	assert_int_equal(r, -EINVAL);
	assert_string_equal(error_kind(err.kind)->id, "request.invalid");
	assert_memory_equal(err.msg, begin, strlen(begin));
	assert_true(strlen(err.msg) >= strlen(end));
	assert_string_equal(err.msg + strlen(err.msg) - strlen(end), end);
}

/* refused() - A description that is wrong, and how it is said. */
static void refused(const char *text, const char *words)
{
	refused_with(text, words, words);
}

#define TOP "{ \"schema\": \"ioasid.machine.v1\",\n"
#define GROUP "\"groups\": [ { \"number\": 4 } ],\n"
#define IOMMU \
	"\"iommus\": [ { \"name\": \"dmar0\", \"family\": \"vt-d\" } ],\n"
#define NVME "\"vendor\": 5197, \"device\": \"0xa80a\", \"class\": 67586"
#define DEVICES(d) TOP IOMMU GROUP "\"devices\": [\n" d "\n] }"

/* --- what becomes of it --- */

static void every_example_is_a_machine(void **state)
{
	static const struct {
		const char *name;
		size_t devices, vfs;
	} examples[] = {
		{ "testbed.json", 21, 0 },
		{ "vtd-server.json", 54, 16 },
		{ "vtd-nesting.json", 4, 0 },
		{ "amd-server.json", 37, 4 },
		{ "arm-smmuv3.json", 12, 4 },
		{ "power-pseries.json", 5, 0 },
		{ "laptop.json", 18, 0 },
		{ "many-vfs.json", 4129, 4096 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		char *text = read_file(examples[i].name);
		struct sim *sim = machine(text);
		struct kernel_inventory *inv;
		size_t vfs = 0;

		sim_lock(sim);
		assert_int_equal(sim_inventory(sim, &inv), 0);
		sim_unlock(sim);
		for (size_t d = 0; d < inv->n_devices; d++)
			vfs += inv->devices[d].physfn[0] != '\0';
		assert_int_equal(inv->n_devices, examples[i].devices);
		assert_int_equal(vfs, examples[i].vfs);
		kernel_inventory_free(inv);
		sim_free(sim);
		free(text);
	}
}

static void a_device_is_as_it_was_described(void **state)
{
	struct sim *sim = machine(
		TOP IOMMU GROUP
		"\"devices\": [ { \"bdf\": \"0000:03:00.0\", " NVME ",\n"
		" \"subsystem_vendor\": 5197, \"subsystem_device\": 43659,\n"
		" \"revision\": 2, \"numa_node\": 1, \"driver\": \"nvme\",\n"
		" \"group\": 4, \"iommu\": \"dmar0\", \"bars\": [16384],\n"
		" \"reset_methods\": \"flr bus\", \"reset_error\": \"EIO\",\n"
		" \"users\": [ { \"kind\": \"mount\", \"name\": \"/srv\" } ],\n"
		" \"delays\": { \"unbind_ms\": 7 } } ] }");
	struct sim_device *d = sim_device(sim, "0000:03:00.0");

	assert_non_null(d);
	assert_int_equal(d->facts.vendor, 0x144d);
	assert_int_equal(d->facts.device, 0xa80a);
	assert_int_equal(d->facts.subsystem_vendor, 0x144d);
	assert_int_equal(d->facts.subsystem_device, 0xaa8b);
	assert_int_equal(d->facts.class, 0x010802);
	assert_int_equal(d->facts.revision, 2);
	assert_int_equal(d->facts.numa_node, 1);
	assert_int_equal(d->facts.group, 4);
	assert_string_equal(d->facts.iommu, "dmar0");
	assert_string_equal(d->facts.driver, "nvme");
	assert_false(d->facts.vfio);
	assert_string_equal(d->facts.reset_methods, "flr bus");
	assert_ptr_equal(d->group->iommu, sim->iommus[0]);
	assert_int_equal(d->bar_size[0], 16384);
	assert_int_equal(d->reset_error, EIO);
	assert_int_equal(d->unbind_ms, 7);
	assert_int_equal(d->n_users, 1);
	assert_string_equal(d->users[0].name, "/srv");
	sim_free(sim);
}

static void what_is_absent_has_its_usual_value(void **state)
{
	struct sim *sim = machine(
		DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME "},\n"
			"{ \"bdf\": \"0000:02:00.0\", \"vendor\": 1,\n"
			"  \"device\": 1, \"class\": \"0x060400\" }"));
	struct sim_device *d = sim_device(sim, "0000:03:00.0");

	assert_int_equal(d->facts.numa_node, -1);
	assert_int_equal(d->facts.group, -1);
	assert_string_equal(d->facts.driver, "");
	assert_false(d->facts.bridge);
	assert_true(sim_device(sim, "0000:02:00.0")->facts.bridge);
	assert_true(sim->info.iommufd);
	assert_int_equal(strlen(sim->info.boot_id), 36);
	assert_string_equal(sim->vfio_drivers[0], "vfio-pci");
	assert_int_equal(sim->isolated_msi, ISOLATED_MSI_UNKNOWN);
	assert_true(sim->iommus[0]->aperture.last == UINT64_MAX);
	assert_int_equal(sim->iommus[0]->alignment, 4096);
	assert_false(sim->iommus[0]->hw_supported);
	/* In order, whatever the order in the text was. */
	assert_string_equal(sim->devices[0]->facts.bdf, "0000:02:00.0");
	sim_free(sim);
}

static void an_iommu_is_as_it_was_described(void **state)
{
	struct sim *sim = machine(
		TOP "\"iommus\": [ { \"name\": \"dmar0\", \"family\": \"vt-d\",\n"
		"\"registers\": { \"cap\": \"d2\", \"ecap\": \"f0\" },\n"
		"\"aperture\": { \"start\": \"0x1000\", \"last\": 65535 },\n"
		"\"alignment\": 512, \"page_tables\": [\"nest-parent\"],\n"
		"\"nested_type\": 1, \"hw_info\": { \"type\": 1,\n"
		"\"data\": \"0aff\", \"max_pasid_log2\": 20,\n"
		"\"capabilities\": 1 } } ], \"devices\": [] }");
	struct sim_iommu *iommu = sim->iommus[0];

	assert_int_equal(iommu->facts.n_registers, 2);
	assert_string_equal(iommu->facts.registers[1].name, "ecap");
	assert_string_equal(iommu->facts.registers[1].value, "f0");
	assert_int_equal(iommu->aperture.start, 4096);
	assert_int_equal(iommu->aperture.last, 65535);
	assert_int_equal(iommu->alignment, 512);
	assert_true(iommu->nest_parent && !iommu->pasid);
	assert_int_equal(iommu->nested_type, 1);
	assert_true(iommu->hw_supported);
	assert_int_equal(iommu->hw.type, 1);
	assert_int_equal(iommu->hw.data_len, 2);
	assert_int_equal(iommu->hw.data[0], 0x0a);
	assert_int_equal(iommu->hw.data[1], 0xff);
	assert_int_equal(iommu->hw.max_pasid_log2, 20);
	assert_int_equal(iommu->hw.capabilities, 1);
	sim_free(sim);
}

#define VF "\"vf\": { \"device\": 4096, \"driver\": \"igbvf\" }"
#define PF(sriov) \
	"{ \"bdf\": \"0000:3b:00.0\", " NVME ", \"driver\": \"igb\"," \
	" \"group\": 4, \"iommu\": \"dmar0\", \"sriov\": {" sriov "} }"

static void vfs_are_made_where_offset_and_stride_say(void **state)
{
	struct sim *sim = machine(
		DEVICES(PF("\"total\": 4, \"enabled\": 3,"
			   "\"first_offset\": 254, \"stride\": 2," VF)));
	struct sim_device *vf;

	assert_int_equal(sim_device(sim, "0000:3b:00.0")->facts.sriov_num, 3);
	assert_int_equal(sim_device(sim, "0000:3b:00.0")->facts.sriov_total, 4);
	vf = sim_device(sim, "0000:3b:1f.6");
	assert_non_null(vf);
	assert_string_equal(vf->facts.physfn, "0000:3b:00.0");
	assert_string_equal(vf->facts.driver, "igbvf");
	assert_string_equal(vf->facts.iommu, "dmar0");
	assert_string_equal(vf->facts.reset_methods, "flr");
	assert_int_equal(vf->facts.vendor, 0x144d);
	assert_int_equal(vf->facts.group, 5);
	assert_int_equal(sim_device(sim, "0000:3c:00.0")->facts.group, 6);
	assert_int_equal(sim_device(sim, "0000:3c:00.2")->facts.group, 7);
	assert_ptr_equal(vf->group->iommu, sim->iommus[0]);
	/* The fourth is known and not there. */
	assert_null(sim_device(sim, "0000:3c:00.4"));
	assert_int_equal(sim->n_devices, 5);
	sim_free(sim);
}

static void vfs_can_be_described_one_by_one(void **state)
{
	struct sim *sim = machine(DEVICES(
		PF("\"total\": 8") ",\n"
		"{ \"bdf\": \"0000:3b:10.0\", " NVME
		", \"physfn\": \"0000:3b:00.0\" },\n"
		"{ \"bdf\": \"0000:3b:10.2\", " NVME
		", \"physfn\": \"0000:3b:00.0\" }"));

	assert_int_equal(sim_device(sim, "0000:3b:00.0")->facts.sriov_num, 2);
	assert_int_equal(sim_device(sim, "0000:3b:10.2")->vf_of, 1);
	sim_free(sim);
}

static void a_device_can_be_with_vfio_from_the_beginning(void **state)
{
	struct sim *sim = machine(
		DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ", \"group\": 4,\n"
			"\"driver\": \"nvme\", \"override\": \"vfio-pci\" }"));
	struct sim_device *d = sim_device(sim, "0000:03:00.0");

	assert_string_equal(d->facts.driver, "vfio-pci");
	assert_true(d->facts.vfio);
	assert_string_equal(d->facts.cdev_name, "vfio0");
	assert_true(d->facts.cdev != 0);
	sim_free(sim);
}

static void many_devices_cost_little(void **state)
{
	char *text = read_file("many-vfs.json");
	struct kernel_inventory *inv;
	struct sim *sim;
	uint64_t begin = clock_mono_ns(), described, listed;

	sim = machine(text);
	described = clock_mono_ns();
	sim_lock(sim);
	assert_int_equal(sim_inventory(sim, &inv), 0);
	sim_unlock(sim);
	listed = clock_mono_ns();
	printf("%zu devices: described in %.1f ms, listed in %.1f ms\n",
	       inv->n_devices, (double)(described - begin) / 1e6,
	       (double)(listed - described) / 1e6);
	/* A hundred times what it takes; a quadratic walk takes more. */
	assert_true(listed - begin < 3000000000);
	kernel_inventory_free(inv);
	sim_free(sim);
	free(text);
}

/* --- what is wrong --- */

static void bad_json_is_named_by_line(void **state)
{
	refused("{\n\"schema\": \"ioasid.machine.v1\",\n\"devices\": [ tru ]\n}",
		"m.json:3: boolean expected");
	refused("", "m.json:1: the text ends within a value");
	refused("{ \"schema\":\n\n", "m.json:3: the text ends within a value");
	refused("{}\n{}", "m.json:2: unexpected character");
	refused("[]", "m.json:1: a description is an object");
	refused("{ \"a\": 1,\n\"b\": 1,\n\"a\": 2 }",
		"m.json:3: 'a' is there twice");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"class\": 3 }"), "m.json:6: 'class' is there twice");
	refused("[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]",
		"m.json:1: nesting too deep");
}

static void keys_and_types_are_checked(void **state)
{
	refused("{ \"devices\": [] }", "m.json:1: needs 'schema'");
	refused("{ \"schema\": \"ioasid.machine.v2\", \"devices\": [] }",
		"m.json:1: schema: 'ioasid.machine.v2' is none of ioasid.machine.v1");
	refused(TOP "\"note\": \"\" }", "m.json:1: needs 'devices'");
	refused(TOP "\"devices\": [],\n\"what.is\": 1 }",
		"m.json:3: what.is: there is no such key in machine");
	refused(TOP "\"kernel\": [],\n\"devices\": [] }",
		"m.json:2: kernel: must be an object");
	refused(TOP "\"kernel\": {\n\"iommufd\": 1 }, \"devices\": [] }",
		"m.json:3: kernel.iommufd: must be true or false");
	refused(TOP "\"kernel\": {\n\"vfio_drivers\": [\"a\",\n1]},\n"
		"\"devices\": [] }",
		"m.json:4: kernel.vfio_drivers[1]: must be a string");
	refused(TOP "\"kernel\": { \"vfio_drivers\": [\"\"] },\n"
		"\"devices\": [] }",
		"m.json:2: kernel.vfio_drivers[0]: must not be empty");
	refused(TOP "\"note\": \"a\\nb\", \"devices\": [] }",
		"m.json:2: note: has a control character in it");
	refused(TOP "\"note\": \"a\\u0000b\", \"devices\": [] }",
		"m.json:2: note: has a NUL in it");
	refused(DEVICES("{ \"bdf\": null }"),
		"m.json:5: devices[0].bdf: must be a string");
	refused(DEVICES("1"), "m.json:5: devices[0]: must be an object");
}

static void numbers_are_checked(void **state)
{
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\",\n\"vendor\": 65536 }"),
		"m.json:6: devices[0].vendor: must be from 0 to 65535");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\",\n\"vendor\": -1 }"),
		"m.json:6: devices[0].vendor: must be from 0 to 65535");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\",\n\"vendor\": \"8086h\" }"),
		"m.json:6: devices[0].vendor: '8086h' is no number of 64 bits");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\",\n\"vendor\": 1.5 }"),
		"m.json:6: devices[0].vendor: must be a number");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"numa_node\": -2 }"),
		"m.json:6: devices[0].numa_node: must be from -1 to 1023");
	/* From 0.17 on json-c itself refuses it. */
	refused_with(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\",\n"
		     "\"aperture\": { \"start\": 0,\n"
		     "\"last\": 99999999999999999999 } } ], \"devices\": [] }",
		     "m.json:4: ",
		     " so large is written as a string, \"0xffffffffffffffff\"");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"bars\": [ 16,\n 48 ] }"),
		"m.json:7: devices[0].bars[1]: must be 0, or a power of two from 16 on");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"bars\": [ 0, 0, 0, 0, 0, 0, 0 ] }"),
		"m.json:6: devices[0].bars: has 7 elements; 6 at most");
}

static void addresses_are_checked(void **state)
{
	refused(DEVICES("{ \"bdf\": \"03:00.0\", " NVME "}"),
		"m.json:5: devices[0].bdf: '03:00.0' is no PCI address as the kernel writes it, such as 0000:3b:00.0");
	refused(DEVICES("{ \"bdf\": \"0000:03:20.0\", " NVME "}"),
		"m.json:5: devices[0].bdf: '0000:03:20.0' is no PCI address as the kernel writes it, such as 0000:3b:00.0");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME "},\n\n"
			"{ \"bdf\": \"0000:03:00.0\", " NVME "}"),
		"m.json:7: devices[1]: there is a device 0000:03:00.0 already");
}

static void references_are_checked(void **state)
{
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"group\": 5 }"),
		"m.json:6: devices[0].group: there is no group 5");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"group\": 4, \"iommu\": \"dmar1\" }"),
		"m.json:6: devices[0].iommu: there is no IOMMU 'dmar1'");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"iommu\": \"dmar0\" }"),
		"m.json:6: devices[0].iommu: needs 'group': what is behind an IOMMU is in a group");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"physfn\": \"0000:03:00.0\" }"),
		"m.json:6: devices[0].physfn: no device with 'sriov' and bdf '0000:03:00.0' comes before");
	refused(TOP "\"groups\": [ { \"number\": 1 },\n{ \"number\": 1 } ],\n"
		"\"devices\": [] }",
		"m.json:3: groups[1]: there is a group 1 already");
	refused(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\" },\n"
		"{ \"name\": \"a\", \"family\": \"vt-d\" } ],\n"
		"\"devices\": [] }",
		"m.json:3: iommus[1]: there is an IOMMU 'a' already");
	refused(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\" },\n"
		"{ \"name\": \"b\", \"family\": \"vt-d\" } ],\n" GROUP
		"\"devices\": [\n{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
		"\"group\": 4, \"iommu\": \"a\" },\n"
		"{ \"bdf\": \"0000:04:00.0\", " NVME ",\n"
		"\"group\": 4, \"iommu\": \"b\" } ] }",
		"m.json:9: devices[1].iommu: group 4 is behind IOMMU 'a'");
}

static void words_are_checked(void **state)
{
	refused(TOP "\"isolated_msi\": \"perhaps\", \"devices\": [] }",
		"m.json:2: isolated_msi: 'perhaps' is none of yes, no, unknown");
	refused(TOP "\"groups\": [ { \"number\": 1, \"reserved\": [\n"
		"{ \"start\": 2, \"last\": 1, \"type\": \"msi\" } ] } ],\n"
		"\"devices\": [] }",
		"m.json:3: groups[0].reserved[0]: 'last' must not be less than 'start'");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"reset_methods\": \"flr magic\" }"),
		"m.json:6: devices[0].reset_methods: 'magic' is no reset method");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"reset_error\": \"EWHAT\" }"),
		"m.json:6: devices[0].reset_error: 'EWHAT' is no errno, such as ENOTTY");
	refused(DEVICES("{ \"bdf\": \"0000:03:00.0\", " NVME ",\n"
			"\"users\": [ { \"kind\": \"cat\" } ] }"),
		"m.json:6: devices[0].users[0].kind: 'cat' is none of process, mount, swap, holder, netdev, block, device, descriptor");
	refused(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\",\n"
		"\"hw_info\": { \"type\": 1,\n\"data\": \"abc\" } } ],\n"
		"\"devices\": [] }",
		"m.json:4: iommus[0].hw_info.data: must be two digits of '0123456789abcdef' for each of up to 256 bytes");
	refused(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\",\n"
		"\"nested_type\": 1 } ], \"devices\": [] }",
		"m.json:3: iommus[0].nested_type: needs 'nest-parent' in 'page_tables'");
	refused(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\",\n"
		"\"alignment\": 3 } ], \"devices\": [] }",
		"m.json:3: iommus[0].alignment: must be a power of two");
	refused(TOP "\"iommus\": [ { \"name\": \"a\", \"family\": \"vt-d\",\n"
		"\"registers\": {\n\"cap\": 1 } } ], \"devices\": [] }",
		"m.json:4: iommus[0].registers.cap: must be a string");
}

static void vfs_are_checked(void **state)
{
	refused(DEVICES(PF("\"total\": 4,\n\"enabled\": 5," VF)),
		"m.json:5: devices[0].sriov: 'enabled' is more than 'total'");
	refused(DEVICES(PF("\"total\": 4, \"enabled\": 1")),
		"m.json:5: devices[0].sriov: needs 'vf' for what is enabled");
	refused(DEVICES(PF("\"total\": 65535," VF)),
		"m.json:5: devices[0].sriov: VF 50431 would be beyond bus ff");
	refused(DEVICES(PF("\"total\": 4," VF) ",\n"
			"{ \"bdf\": \"0000:3b:00.3\", " NVME " }"),
		"m.json:5: devices[0].sriov: VF 2 would be at 0000:3b:00.3, where there is a device");
	refused(DEVICES(PF("\"total\": 4," VF) ",\n"
			"{ \"bdf\": \"0000:3b:00.7\", " NVME
			",\n\"physfn\": \"0000:3b:00.0\" }"),
		"m.json:7: devices[1].physfn: VFs of 0000:3b:00.0 are made from its 'vf', or described one by one: not both");
	refused(DEVICES(PF("\"total\": 1") ",\n"
			"{ \"bdf\": \"0000:3b:00.6\", " NVME
			", \"physfn\": \"0000:3b:00.0\" },\n"
			"{ \"bdf\": \"0000:3b:00.7\", " NVME
			", \"physfn\": \"0000:3b:00.0\" }"),
		"m.json:7: devices[2].physfn: 0000:3b:00.0 has 1 VFs at most");
}

/* Every file, cut anywhere, is refused, and nothing is left behind. */
static void a_cut_description_is_refused(void **state)
{
	char *text = read_file("testbed.json");
	size_t size = strlen(text);

	for (size_t n = size - 2; n > 0; n = n > 97 ? n - 97 : 0) {
		struct error err = ERROR_NULL;
		struct sim *sim;

		text[n] = '\0';
		assert_int_equal(sim_describe(text, "m.json", &sim, &err),
				 -EINVAL);
		assert_non_null(str_starts(err.msg, "m.json:"));
	}
	free(text);
}

/* --- the README --- */

/* documents() - Does a line of the README's table of a kind name the key? */
static bool documents(const char *readme, const char *kind, const char *key)
{
	char heading[64], cell[64];
	const char *from, *end, *at;

	snprintf(heading, sizeof(heading), "## %s\n", kind);
	from = strstr(readme, heading);
	if (!from)
		return false;
	end = strstr(from + 3, "\n##");
	snprintf(cell, sizeof(cell), "`%s`", key);
	for (at = strstr(from, cell); at; at = strstr(at + 1, cell)) {
		const char *line = at;

		if (end && at > end)
			return false;
		while (line > from && line[-1] != '\n')
			line--;
		/* In the first cell of a row. */
		if (line[0] == '|' &&
		    !memchr(line + 1, '|', (size_t)(at - line - 1)))
			return true;
	}

	return false;
}

static void every_key_is_in_the_readme(void **state)
{
	char *readme = read_file("README.md");
	size_t n = 0;

	for (size_t k = 0; describe_kinds[k]; k++)
		for (size_t i = 0; i < describe_kinds[k]->n_keys; i++, n++) {
			const char *kind = describe_kinds[k]->name;
			const char *key = describe_kinds[k]->keys[i].name;

			if (!documents(readme, kind, key))
				fail_msg("README.md, section %s, has no key %s",
					 kind, key);
		}
	assert_true(n > 50);
	free(readme);
}

/* Every `key` in the first cell of a row is one of that section's table. */
static void the_readme_has_no_other_keys(void **state)
{
	char *readme = read_file("README.md"), *rest = readme, *line;
	const struct describe_kind *kind = NULL;

	while ((line = strsep(&rest, "\n"))) {
		char *cell, *key, *save;

		if (line[0] == '#') {
			kind = NULL;
			for (size_t k = 0; describe_kinds[k]; k++)
				if (str_eq(describe_kinds[k]->name,
					   line + strspn(line, "# ")))
					kind = describe_kinds[k];
		}
		if (!kind || line[0] != '|' || !strchr(line, '`'))
			continue;
		cell = strtok_r(line, "|", &save);
		for (key = strtok_r(cell, "`", &save); key;
		     key = strtok_r(NULL, "`", &save)) {
			size_t i = 0;

			if (strspn(key, " ,") == strlen(key))
				continue;
			while (i < kind->n_keys &&
			       !str_eq(kind->keys[i].name, key))
				i++;
			if (i == kind->n_keys)
				fail_msg("README.md, section %s: %s is no key",
					 kind->name, key);
		}
	}
	free(readme);
}

/* --- lines --- */

static void a_line_is_found_by_the_way_to_it(void **state)
{
	static const char text[] = "\n{ \"a\": {\n  \"b\\\"]\": [ 1,\n\"}\",\n"
				   "[ {},\n{ \"c\"\n: null } ] ] },\n"
				   "\"d\": true }\n";
	static const struct {
		struct locate_step steps[5];
		size_t n;
		unsigned int line;
	} ways[] = {
		{ { { NULL, 0 } }, 0, 2 },
		{ { { "a", 0 } }, 1, 2 },
		{ { { "a", 0 }, { "b\\\"]", 0 } }, 2, 3 },
		{ { { "a", 0 }, { "b\\\"]", 0 }, { NULL, 0 } }, 3, 3 },
		{ { { "a", 0 }, { "b\\\"]", 0 }, { NULL, 1 } }, 3, 4 },
		{ { { "a", 0 }, { "b\\\"]", 0 }, { NULL, 2 } }, 3, 5 },
		{ { { "a", 0 }, { "b\\\"]", 0 }, { NULL, 2 }, { NULL, 1 },
		    { "c", 0 } }, 5, 6 },
		{ { { "d", 0 } }, 1, 8 },
		/* What is not there: where the way ends. */
		{ { { "e", 0 } }, 1, 2 },
		{ { { "d", 0 }, { "x", 0 } }, 2, 8 },
		{ { { "a", 0 }, { "b\\\"]", 0 }, { NULL, 7 } }, 3, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		assert_int_equal(locate_line(text, ways[i].steps, ways[i].n),
				 ways[i].line);
	assert_int_equal(locate_offset(text, 0), 1);
	assert_int_equal(locate_offset(text, 1), 2);
	assert_int_equal(locate_offset(text, 100000), 9);
}

/* What is no JSON gives some line, and never reads beyond the end. */
static void a_walk_ends_at_the_end(void **state)
{
	static const char *const texts[] = {
		"", "{", "[", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"\\",
		"[[[[", "{\"a\":{\"a\":", "[1,", "}", "]", "\"", ",", "{,}",
		"{\"a\" 1}", "[,,", "{\"a\":[}",
	};
	static const struct locate_step way[] = { { "a", 0 }, { "a", 0 } };
	static const struct locate_step third[] = { { NULL, 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		/* An allocation of the very size: ASan sees beyond it. */
		char *text = strdup(texts[i]);
		unsigned int line;
		const char *key;
		size_t size;

		assert_int_equal(locate_line(text, way, 2), 1);
		assert_int_equal(locate_line(text, third, 1), 1);
		(void)locate_duplicate(text, &line, &key, &size);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_is_a_machine),
		cmocka_unit_test(a_device_is_as_it_was_described),
		cmocka_unit_test(what_is_absent_has_its_usual_value),
		cmocka_unit_test(an_iommu_is_as_it_was_described),
		cmocka_unit_test(vfs_are_made_where_offset_and_stride_say),
		cmocka_unit_test(vfs_can_be_described_one_by_one),
		cmocka_unit_test(a_device_can_be_with_vfio_from_the_beginning),
		cmocka_unit_test(many_devices_cost_little),
		cmocka_unit_test(bad_json_is_named_by_line),
		cmocka_unit_test(keys_and_types_are_checked),
		cmocka_unit_test(numbers_are_checked),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(references_are_checked),
		cmocka_unit_test(words_are_checked),
		cmocka_unit_test(vfs_are_checked),
		cmocka_unit_test(a_cut_description_is_refused),
		cmocka_unit_test(every_key_is_in_the_readme),
		cmocka_unit_test(the_readme_has_no_other_keys),
		cmocka_unit_test(a_line_is_found_by_the_way_to_it),
		cmocka_unit_test(a_walk_ends_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
