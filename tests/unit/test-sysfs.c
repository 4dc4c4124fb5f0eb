/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sysfs.c - the machine as kernel_real_new() reads it from a folder that
 *		  looks like sysfs: whole, with parts absent, odd or huge, and
 *		  with very many functions
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/kernel.h"
#include "kernel/sysfs.h"
#include "tree.h"

#define D "bus/pci/devices/"

struct machine {
	struct tree tree;
	struct kernel *k;
	int fds;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct error err = ERROR_NULL;

	m->fds = fd_count();
	tree_make(&m->tree);
	tree_folder(&m->tree, "bus/pci/devices");
	if (kernel_real_new(m->tree.path, KERNEL_BACKEND_NONE, &m->k,
			    &err))
		fail_msg("%s", err.msg);
	*state = m;

	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	m->k->ops->free(m->k);
	tree_remove(&m->tree);
	assert_int_equal(fd_count(), m->fds);
	free(m);

	return 0;
}

/* An endpoint with all that a kernel shows of one. */
static void add_nvme(struct tree *t)
{
	tree_file(t, D "0000:03:00.0/modalias",
		  "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02");
	tree_file(t, D "0000:03:00.0/revision", "0x02");
	tree_file(t, D "0000:03:00.0/numa_node", "1");
	tree_file(t, D "0000:03:00.0/reset_method", "flr bus");
	tree_link(t, D "0000:03:00.0/driver", "../../../bus/pci/drivers/nvme");
	tree_link(t, D "0000:03:00.0/iommu_group",
		  "../../../kernel/iommu_groups/7");
	tree_link(t, D "0000:03:00.0/iommu", "../../virtual/iommu/dmar0");
}

static struct kernel_inventory *inventory(struct machine *m)
{
	struct kernel_inventory *inv = NULL;
	struct error err = ERROR_NULL;

	if (m->k->ops->inventory(m->k, &inv, &err))
		fail_msg("%s", err.msg);

	return inv;
}

static void a_function_is_read_whole(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;
	struct kernel_device *d, again;

	add_nvme(&m->tree);
	inv = inventory(m);
	assert_int_equal(inv->n_devices, 1);
	d = inv->devices;
	assert_string_equal(d->bdf, "0000:03:00.0");
	assert_int_equal(d->vendor, 0x1b36);
	assert_int_equal(d->device, 0x0010);
	assert_int_equal(d->subsystem_vendor, 0x1af4);
	assert_int_equal(d->subsystem_device, 0x1100);
	assert_int_equal(d->class, 0x010802);
	assert_int_equal(d->revision, 2);
	assert_false(d->bridge);
	assert_int_equal(d->numa_node, 1);
	assert_string_equal(d->driver, "nvme");
	assert_false(d->vfio);
	assert_int_equal(d->group, 7);
	assert_string_equal(d->iommu, "dmar0");
	assert_string_equal(d->physfn, "");
	assert_string_equal(d->reset_methods, "flr bus");
	assert_int_equal(d->cdev, 0);

	assert_int_equal(m->k->ops->device(m->k, d->bdf, &again, NULL), 0);
	assert_memory_equal(d, &again, sizeof(again));
	kernel_inventory_free(inv);
}

static void what_is_absent_is_no_error(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;
	struct kernel_device *d;

	tree_file(&m->tree, D "0000:00:01.0/modalias",
		  "pci:v00001234d000011E8sv00001AF4sd00001100bc00scFFi00");
	inv = inventory(m);
	assert_int_equal(inv->n_devices, 1);
	d = inv->devices;
	assert_int_equal(d->class, 0x00ff00);
	assert_int_equal(d->numa_node, -1);
	assert_int_equal(d->group, -1);
	assert_string_equal(d->driver, "");
	assert_string_equal(d->iommu, "");
	assert_string_equal(d->reset_methods, "");
	assert_int_equal(inv->n_groups, 0);
	assert_int_equal(inv->n_iommus, 0);
	assert_int_equal(inv->isolated_msi, ISOLATED_MSI_UNKNOWN);
	kernel_inventory_free(inv);
}

static void odd_and_huge_files_do_no_harm(void **state)
{
	static char huge[100000];
	struct machine *m = *state;
	struct kernel_inventory *inv;

	memset(huge, 'x', sizeof(huge));
	add_nvme(&m->tree);
	tree_data(&m->tree, D "0000:03:00.0/reset_method", huge, sizeof(huge));
	tree_file(&m->tree, D "0000:03:00.0/numa_node", "-1");
	tree_file(&m->tree, D "0000:03:00.0/revision", "two");
	tree_file(&m->tree, D "0000:03:00.0/modalias", "usb:v1234");
	tree_file(&m->tree, D "0000:03:00.0/sriov_totalvfs",
		  "99999999999999999999999");
	tree_data(&m->tree, D "0000:04:00.0/modalias", huge, sizeof(huge));
	tree_data(&m->tree, D "0000:05:00.0/modalias", "", 0);
	tree_folder(&m->tree, D "0000:06:00.0/modalias");
	tree_folder(&m->tree, D "not-an-address");
	tree_link(&m->tree, D "0000:07:00.0", "/nowhere");
	tree_link(&m->tree, D "0000:05:00.0/iommu_group", "../../groups/x");

	inv = inventory(m);
	assert_int_equal(inv->n_devices, 2);
	assert_string_equal(inv->devices[0].bdf, "0000:03:00.0");
	assert_int_equal(inv->devices[0].vendor, 0);
	assert_int_equal(inv->devices[0].revision, 0);
	assert_int_equal(inv->devices[0].numa_node, -1);
	assert_int_equal(inv->devices[0].sriov_total, 0);
	assert_string_equal(inv->devices[0].reset_methods, "");
	assert_string_equal(inv->devices[1].bdf, "0000:05:00.0");
	assert_int_equal(inv->devices[1].group, -1);
	kernel_inventory_free(inv);
}

static void bridges_are_known(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;

	tree_file(&m->tree, D "0000:00:00.0/modalias",
		  "pci:v00008086d000029C0sv00001AF4sd00001100bc06sc00i00");
	tree_file(&m->tree, D "0000:00:10.0/modalias",
		  "pci:v00001B36d0000000Csv00000000sd00000000bc06sc04i00");
	tree_file(&m->tree, D "0000:00:11.0/modalias",
		  "pci:v00001B36d0000000Csv00000000sd00000000bcFFsc00i00");
	tree_file(&m->tree, D "0000:00:11.0/secondary_bus_number", "1");
	inv = inventory(m);
	assert_int_equal(inv->n_devices, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(inv->devices[i].bridge);
	kernel_inventory_free(inv);
}

static void vfs_are_counted_without_sriov_numvfs(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;
	struct kernel_device pf;

	add_nvme(&m->tree);
	tree_file(&m->tree, D "0000:03:00.0/sriov_totalvfs", "7");
	for (int i = 0; i < 3; i++) {
		char path[128], target[64];

		snprintf(target, sizeof(target), "../0000:03:00.%d", i + 1);
		snprintf(path, sizeof(path), D "0000:03:00.0/virtfn%d", i);
		tree_link(&m->tree, path, target);
		snprintf(path, sizeof(path), D "0000:03:00.%d/modalias", i + 1);
		tree_file(&m->tree, path, "pci:v00001B36d00000010sv00001AF4"
			  "sd00001100bc01sc08i02");
		snprintf(path, sizeof(path), D "0000:03:00.%d/physfn", i + 1);
		tree_link(&m->tree, path, "../0000:03:00.0");
	}

	inv = inventory(m);
	assert_int_equal(inv->n_devices, 4);
	assert_int_equal(inv->devices[0].sriov_total, 7);
	assert_int_equal(inv->devices[0].sriov_num, 3);
	assert_string_equal(inv->devices[1].physfn, "0000:03:00.0");
	assert_int_equal(inv->devices[1].sriov_num, 0);
	kernel_inventory_free(inv);

	assert_int_equal(m->k->ops->device(m->k, "0000:03:00.0", &pf, NULL), 0);
	assert_int_equal(pf.sriov_num, 3);
}

static void a_vfio_driver_shows_its_cdev(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;

	/* with CONFIG_VFIO_DEVICE_CDEV, without, and with a name too long */
	tree_file(&m->tree, D "0000:01:00.0/modalias", "");
	tree_link(&m->tree, D "0000:01:00.0/driver", "../vfio-pci");
	tree_file(&m->tree, D "0000:01:00.0/vfio-dev/vfio12/dev", "511:12");
	tree_file(&m->tree, D "0000:02:00.0/modalias", "");
	tree_link(&m->tree, D "0000:02:00.0/driver", "../mlx5_vfio_pci");
	tree_folder(&m->tree, D "0000:02:00.0/vfio-dev/vfio0");
	tree_file(&m->tree, D "0000:03:00.0/modalias", "");
	tree_link(&m->tree, D "0000:03:00.0/driver", "../vfio-pci");
	tree_file(&m->tree, D "0000:03:00.0/vfio-dev/"
		  "vfio000000000000000000000000000000001/dev", "511:1");

	inv = inventory(m);
	assert_int_equal(inv->n_devices, 3);
	assert_true(inv->devices[0].vfio);
	assert_true(inv->devices[0].cdev == makedev(511, 12));
	assert_string_equal(inv->devices[0].cdev_name, "vfio12");
	assert_true(inv->devices[1].vfio);
	assert_true(inv->devices[1].cdev == 0);
	assert_string_equal(inv->devices[1].cdev_name, "");
	assert_true(inv->devices[2].vfio);
	assert_true(inv->devices[2].cdev == 0);
	assert_string_equal(inv->devices[2].cdev_name, "");
	kernel_inventory_free(inv);
}

static void a_cdev_tells_that_there_is_no_iommu(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;

	tree_file(&m->tree, D "0000:01:00.0/modalias", "");
	tree_link(&m->tree, D "0000:01:00.0/driver", "../vfio-pci");
	tree_link(&m->tree, D "0000:01:00.0/iommu_group",
		  "../../../kernel/iommu_groups/4");
	tree_file(&m->tree, D "0000:01:00.0/vfio-dev/noiommu-vfio3/dev",
		  "250:3");
	tree_file(&m->tree, D "0000:02:00.0/modalias", "");
	tree_file(&m->tree, D "0000:03:00.0/modalias", "");
	tree_link(&m->tree, D "0000:03:00.0/iommu_group",
		  "../../../kernel/iommu_groups/5");
	inv = inventory(m);
	assert_string_equal(inv->devices[0].cdev_name, "noiommu-vfio3");
	assert_int_equal(inv->devices[0].group, 4);
	assert_true(kernel_no_iommu(&inv->devices[0]));
	assert_true(kernel_no_iommu(&inv->devices[1]));
	assert_false(kernel_no_iommu(&inv->devices[2]));
	assert_false(inv->no_iommu_mode);
	kernel_inventory_free(inv);

	tree_file(&m->tree, "module/vfio/parameters/enable_unsafe_noiommu_mode",
		  "Y");
	inv = inventory(m);
	assert_true(inv->no_iommu_mode);
	kernel_inventory_free(inv);
}

static void groups_tell_type_and_reserved_regions(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;
	struct kernel_group *g;

	tree_file(&m->tree, "kernel/iommu_groups/10/type", "DMA-FQ");
	tree_file(&m->tree, "kernel/iommu_groups/10/reserved_regions",
		  "0x00000000000a0000 0x00000000000bffff direct-relaxable\n"
		  "nonsense\n"
		  "0x00000000fee00000 0x00000000feefffff msi\n"
		  "0x1 0x2 a-type-that-is-longer-than-there-is-room-for");
	tree_folder(&m->tree, "kernel/iommu_groups/9");
	tree_folder(&m->tree, "kernel/iommu_groups/nine");

	inv = inventory(m);
	assert_int_equal(inv->n_groups, 2);
	g = &inv->groups[0];
	assert_int_equal(g->number, 9);
	assert_string_equal(g->type, "");
	assert_int_equal(g->n_reserved, 0);
	g = &inv->groups[1];
	assert_int_equal(g->number, 10);
	assert_string_equal(g->type, "DMA-FQ");
	assert_int_equal(g->n_reserved, 3);
	assert_string_equal(g->reserved[0].type, "direct-relaxable");
	assert_int_equal(g->reserved[1].start, 0xfee00000);
	assert_int_equal(g->reserved[1].last, 0xfeefffff);
	assert_string_equal(g->reserved[1].type, "msi");
	kernel_inventory_free(inv);
}

static void families_of_iommus_are_known(void **state)
{
	static const char *const expected[][2] = {
		{ "0000:00:01.0", "virtio-iommu" },
		{ "dmar0", "vt-d" },
		{ "fe000000.virtio", "virtio-iommu" },
		{ "iommu-phb0000", "spapr-tce" },
		{ "ivhd0", "amd-vi" },
		{ "mystery", "other" },
		{ "smmu3.0x0000000009050000", "smmuv3" },
	};
	struct machine *m = *state;
	struct kernel_inventory *inv;

	tree_file(&m->tree, "class/iommu/dmar0/intel-iommu/cap",
		  "d2008c22260286");
	tree_file(&m->tree, "class/iommu/dmar0/intel-iommu/ecap", "f00f4a");
	tree_file(&m->tree, "class/iommu/ivhd0/amd-iommu/cap", "40f");
	tree_folder(&m->tree, "class/iommu/smmu3.0x0000000009050000");
	tree_folder(&m->tree, "class/iommu/iommu-phb0000");
	tree_folder(&m->tree, "class/iommu/0000:00:01.0");
	tree_folder(&m->tree, "class/iommu/mystery");
	tree_folder(&m->tree, "devices/platform/virtio3/iommu/fe000000.virtio");
	tree_link(&m->tree, "class/iommu/fe000000.virtio",
		  "../../devices/platform/virtio3/iommu/fe000000.virtio");

	inv = inventory(m);
	assert_int_equal(inv->n_iommus, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(inv->iommus[i].name, expected[i][0]);
		assert_string_equal(inv->iommus[i].family, expected[i][1]);
	}
	assert_int_equal(inv->iommus[1].n_registers, 2);
	assert_string_equal(inv->iommus[1].registers[0].name, "cap");
	assert_string_equal(inv->iommus[1].registers[0].value,
			    "d2008c22260286");
	kernel_inventory_free(inv);
}

static void without_cdevs_a_group_of_vfios_own_is_none(void **state)
{
	struct machine *m = *state;
	struct error err = ERROR_NULL;
	struct kernel_device dev;

	add_nvme(&m->tree);
	tree_file(&m->tree, "bus/kernel/iommu_groups/7/name", "vfio-noiommu");
	tree_folder(&m->tree, D "0000:03:00.0/vfio-dev/vfio0");
	assert_int_equal(m->k->ops->device(m->k, "0000:03:00.0", &dev, &err),
			 0);
	assert_true(dev.vfio);
	assert_int_equal(dev.group, -1);
	assert_true(kernel_no_iommu(&dev));

	tree_file(&m->tree, "bus/kernel/iommu_groups/7/name", "domain0-pe0");
	assert_int_equal(m->k->ops->device(m->k, "0000:03:00.0", &dev, &err),
			 0);
	assert_int_equal(dev.group, 7);
	assert_false(kernel_no_iommu(&dev));
}

static void chip_names_tell_of_interrupt_remapping(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;

	tree_file(&m->tree, "kernel/irq/1/chip_name", "GICv3");
	inv = inventory(m);
	assert_int_equal(inv->isolated_msi, ISOLATED_MSI_UNKNOWN);
	kernel_inventory_free(inv);

	tree_file(&m->tree, "kernel/irq/2/chip_name", "IO-APIC");
	tree_folder(&m->tree, "kernel/irq/3");
	inv = inventory(m);
	assert_int_equal(inv->isolated_msi, ISOLATED_MSI_NO);
	kernel_inventory_free(inv);

	tree_file(&m->tree, "kernel/irq/4/chip_name",
		  "IR-PCI-MSIX-0000:00:03.0");
	inv = inventory(m);
	assert_int_equal(inv->isolated_msi, ISOLATED_MSI_YES);
	kernel_inventory_free(inv);
}

static void a_function_that_is_not_there_is_not_found(void **state)
{
	struct machine *m = *state;
	struct error err = ERROR_NULL;
	struct kernel_device dev;

	assert_int_equal(m->k->ops->device(m->k, "0000:00:1f.0", &dev, &err),
			 -ENODEV);
	assert_int_equal(err.kind, ERROR_DEVICE_NOT_FOUND);
	/* Nothing but an address in the kernel's own form becomes a path. */
	assert_int_equal(m->k->ops->device(m->k, "../../../etc", &dev, &err),
			 -EINVAL);
	assert_int_equal(m->k->ops->device(m->k, "00:1f.0", &dev, &err),
			 -EINVAL);
}

static void drivers_are_written_to_the_functions_own_files(void **state)
{
	struct machine *m = *state;
	struct kernel_stuck stuck = { 0 };
	struct error err = ERROR_NULL;
	_cleanup_fd_ int sysfs = -1;
	char text[DRIVER_SIZE];

	add_nvme(&m->tree);
	tree_file(&m->tree, D "0000:03:00.0/driver_override", "(null)");
	tree_data(&m->tree, "bus/pci/drivers_probe", "", 0);

	assert_int_equal(m->k->ops->get_override(m->k, "0000:03:00.0", 5000,
						 text, &stuck, &err), 0);
	assert_string_equal(text, "");

	/* A file is no sysfs: what is written is what is read. */
	assert_int_equal(m->k->ops->set_override(m->k, "0000:03:00.0",
						 "vfio-pci", 5000, &stuck,
						 &err), 0);
	assert_int_equal(m->k->ops->get_override(m->k, "0000:03:00.0", 5000,
						 text, &stuck, &err), 0);
	assert_string_equal(text, "vfio-pci");
	assert_int_equal(m->k->ops->set_override(m->k, "0000:03:00.0", "a/b",
						 5000, &stuck, &err), -EINVAL);

	assert_int_equal(m->k->ops->probe(m->k, "0000:03:00.0", 5000, &stuck,
					  &err), 0);
	sysfs = tree_open(&m->tree);
	assert_int_equal(sysfs_text(sysfs, "bus/pci/drivers_probe", text,
				    sizeof(text)), 0);
	assert_string_equal(text, "0000:03:00.0");

	/* The driver's link leads nowhere: it was unbound as we came. */
	assert_int_equal(m->k->ops->unbind(m->k, "0000:03:00.0", 5000, &stuck,
					   &err), 0);
	assert_int_equal(m->k->ops->probe(m->k, "0000:09:00.0", 5000, &stuck,
					  &err), -ENODEV);
	assert_int_equal(stuck.pid, 0);
}

static void thousands_of_functions_are_read_in_no_time(void **state)
{
	struct machine *m = *state;
	struct kernel_inventory *inv;
	uint64_t start, ms;

	for (unsigned int i = 0; i < 4096; i++) {
		char path[128], bdf[BDF_SIZE];

		snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x", i >> 12,
			 (i >> 8) & 0xff, (i >> 3) & 0x1f, i & 7);
		snprintf(path, sizeof(path), D "%s/modalias", bdf);
		tree_file(&m->tree, path, "pci:v00001B36d00000010sv00001AF4"
			  "sd00001100bc01sc08i02");
		snprintf(path, sizeof(path), D "%s/revision", bdf);
		tree_file(&m->tree, path, "0x02");
		snprintf(path, sizeof(path), D "%s/numa_node", bdf);
		tree_file(&m->tree, path, "-1");
		snprintf(path, sizeof(path), D "%s/driver", bdf);
		tree_link(&m->tree, path, "../nvme");
	}

	start = clock_mono_ns();
	inv = inventory(m);
	ms = (clock_mono_ns() - start) / 1000000;
	print_message("4096 functions: %u ms\n", (unsigned int)ms);
	assert_int_equal(inv->n_devices, 4096);
	for (size_t i = 1; i < 4096; i++)
		assert_true(strcmp(inv->devices[i - 1].bdf,
				   inv->devices[i].bdf) < 0);
	/* A tenth of this is usual; a busy machine is no failure. */
	assert_true(ms < 2000);
	kernel_inventory_free(inv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		test(a_function_is_read_whole),
		test(what_is_absent_is_no_error),
		test(odd_and_huge_files_do_no_harm),
		test(bridges_are_known),
		test(vfs_are_counted_without_sriov_numvfs),
		test(a_vfio_driver_shows_its_cdev),
		test(a_cdev_tells_that_there_is_no_iommu),
		test(groups_tell_type_and_reserved_regions),
		test(families_of_iommus_are_known),
		test(without_cdevs_a_group_of_vfios_own_is_none),
		test(chip_names_tell_of_interrupt_remapping),
		test(a_function_that_is_not_there_is_not_found),
		test(drivers_are_written_to_the_functions_own_files),
		test(thousands_of_functions_are_read_in_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
