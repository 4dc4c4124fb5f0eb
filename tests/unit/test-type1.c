/* SPDX-License-Identifier: Apache-2.0
 *
 * test-type1.c - VFIO containers and groups, as far as they can be had without:
 *		  what a container says of itself, whole and broken, and what is
 *		  said of one that is not there
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/uapi.h"
#include "kernel/blame.h"
#include "kernel/type1.h"
#include "tree.h"

/* --- what a container says --- */

/* An answer as the kernel lays it out: the last capability comes first. */
struct answer {
	struct uapi_iommu_type1_info info;
	struct uapi_iommu_type1_info_cap_migration dirty;
	struct uapi_iommu_type1_info_dma_avail avail;
	uint32_t pad;
	/* struct uapi_iommu_type1_info_cap_iova_range */
	struct uapi_info_cap_header head;
	uint32_t nr_iovas, reserved;
	struct uapi_iova_range ranges[2];
};

#define AT(member) ((uint32_t)offsetof(struct answer, member))

static struct answer whole(void)
{
	struct answer answer = {
		.info = {
			.argsz = sizeof(answer),
			.flags = UAPI_IOMMU_INFO_PGSIZES |
				 UAPI_IOMMU_INFO_CAPS,
			.iova_pgsizes = 0x40201000,
			.cap_offset = AT(dirty),
		},
		.dirty = {
			.header = { UAPI_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1,
				    AT(avail) },
			.pgsize_bitmap = 4096,
			.max_dirty_bitmap_size = 1 << 28,
		},
		.avail = {
			.header = { UAPI_IOMMU_TYPE1_INFO_DMA_AVAIL, 1,
				    AT(head) },
			.avail = 65535,
		},
		.head = { UAPI_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 },
		.nr_iovas = 2,
		.ranges = { { 0, 0xfedfffff }, { 0xfef00000, UINT64_MAX } },
	};

	return answer;
}

static void all_that_it_says_is_read(void **state)
{
	const struct answer answer = whole();
	struct kernel_container_info info;

	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info), 0);
	assert_int_equal(info.page_sizes, 0x40201000);
	assert_int_equal(info.n_ranges, 2);
	assert_int_equal(info.ranges[0].last, 0xfedfffff);
	assert_int_equal(info.ranges[1].start, 0xfef00000);
	assert_true(info.ranges[1].last == UINT64_MAX);
	assert_true(info.dirty);
	assert_int_equal(info.dirty_page_sizes, 4096);
	assert_int_equal(info.dirty_bitmap_max, 1 << 28);
	assert_true(info.counts_entries);
	assert_int_equal(info.entries, 65535);
	free(info.ranges);
}

static void what_is_not_said_is_not_known(void **state)
{
	struct answer answer = whole();
	struct kernel_container_info info;

	answer.info.flags = 0; /* the rest does not count then */
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info), 0);
	assert_int_equal(info.page_sizes, 0);
	assert_null(info.ranges);
	assert_false(info.dirty);
	assert_false(info.counts_entries);

	answer = whole();
	answer.info.cap_offset = AT(avail); /* without the first */
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info), 0);
	assert_false(info.dirty);
	assert_int_equal(info.n_ranges, 2);
	free(info.ranges);
}

static void capabilities_that_are_not_known_are_passed_over(void **state)
{
	struct answer answer = whole();
	struct kernel_container_info info;

	answer.dirty.header.id = 99;
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info), 0);
	assert_false(info.dirty);
	assert_int_equal(info.entries, 65535);
	free(info.ranges);
}

/* Each is refused, and nothing is left behind: a sanitizer would tell. */
static void a_broken_answer_is_refused(void **state)
{
	struct kernel_container_info info;
	struct answer answer;

	for (size_t size = 0; size < sizeof(answer); size++) {
		void *part = malloc(size + 1); /* so that a byte too far shows */

		answer = whole();
		memcpy(part, &answer, size);
		assert_int_equal(type1_parse_info(part, size, &info), -EPROTO);
		free(part);
	}

	answer = whole();
	answer.info.cap_offset = 8; /* inside of the answer's head */
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info),
			 -EPROTO);
	answer = whole();
	answer.head.next = AT(dirty); /* for ever */
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info),
			 -EPROTO);
	answer = whole();
	answer.head.next = UINT32_MAX;
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info),
			 -EPROTO);
	answer = whole();
	answer.nr_iovas = UINT32_MAX;
	assert_int_equal(type1_parse_info(&answer, sizeof(answer), &info),
			 -EPROTO);
}

/* --- where there is none --- */

struct machine {
	struct tree tree;
	int sysfs, proc, fds;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	m->fds = fd_count();
	tree_make(&m->tree);
	m->sysfs = tree_open(&m->tree);
	m->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fd_close(m->sysfs);
	fd_close(m->proc);
	tree_remove(&m->tree);
	assert_int_equal(fd_count(), m->fds);
	free(m);
	return 0;
}

static void what_is_no_container_is_no_backend(void **state)
{
	struct error err = ERROR_NULL;
	int fd;

	assert_int_equal(type1_detect("/nowhere/vfio"), KERNEL_BACKEND_NONE);
	assert_int_equal(type1_detect("/dev/null"), KERNEL_BACKEND_NONE);
	assert_int_equal(type1_open("/nowhere/vfio", &fd, &err), -ENOENT);
	assert_int_equal(err.kind, ERROR_KERNEL_NO_CONTAINER);
}

static void a_group_is_its_own_node_or_none(void **state)
{
	struct machine *m = *state;
	struct error err = ERROR_NULL;
	char folder[128];
	int fd;

	str_format(folder, sizeof(folder), "%s/dev", m->tree.path);
	assert_int_equal(type1_group_open(m->sysfs, m->proc, folder, 7, &fd,
					  &err), -ENOENT);
	assert_int_equal(err.kind, ERROR_KERNEL_NO_GROUP);

	tree_file(&m->tree, "class/vfio/7/dev", "243:0");
	tree_folder(&m->tree, "dev");
	assert_int_equal(type1_group_open(m->sysfs, m->proc, folder, 7, &fd,
					  &err), -ENOENT);
	assert_int_equal(err.kind, ERROR_KERNEL_NO_GROUP);

	tree_link(&m->tree, "dev/7", "/dev/null");
	assert_int_equal(type1_group_open(m->sysfs, m->proc, folder, 7, &fd,
					  &err), -ELOOP);
	tree_file(&m->tree, "class/vfio/8/dev", "243:1");
	tree_file(&m->tree, "dev/8", "no node at all");
	assert_int_equal(type1_group_open(m->sysfs, m->proc, folder, 8, &fd,
					  &err), -ESTALE);
	assert_int_equal(err.kind, ERROR_KERNEL_VFIO);
}

/* --- what EPERM means --- */

#define GROUP "kernel/iommu_groups/7/devices/"
#define DEVICE0 "0000:03:00.0"
#define DEVICE1 "0000:03:00.1"

static void add_device(struct machine *m, const char *bdf, const char *driver)
{
	char path[128], target[128];

	str_format(path, sizeof(path), "bus/pci/devices/%s/modalias", bdf);
	tree_file(&m->tree, path,
		  "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02");
	str_format(path, sizeof(path), "bus/pci/devices/%s/driver", bdf);
	str_format(target, sizeof(target), "../../drivers/%s", driver);
	tree_link(&m->tree, path, target);
	str_format(path, sizeof(path), GROUP "%s", bdf);
	str_format(target, sizeof(target), "../../../../bus/pci/devices/%s",
		   bdf);
	tree_link(&m->tree, path, target);
}

static int blame(struct machine *m, struct error *err)
{
	*err = ERROR_NULL;
	return blame_permission(m->sysfs, m->proc, 7, "", "vfio_iommu_type1",
				"VFIO_SET_IOMMU of group 7", err);
}

static void a_sibling_with_its_driver_is_named_and_what_frees_it(void **state)
{
	struct machine *m = *state;
	struct error err;

	add_device(m, DEVICE0, "vfio-pci");
	add_device(m, DEVICE1, "e1000e");
	tree_folder(&m->tree, "bus/pci/devices/" DEVICE0 "/vfio-dev/vfio0");
	assert_int_equal(blame(m, &err), -EPERM);
	assert_int_equal(err.kind, ERROR_GROUP_NOT_VIABLE);
	assert_int_equal(err.n_causes, 1);
	assert_string_equal(err.causes[0].kind, "device");
	assert_string_equal(err.causes[0].name, DEVICE1);
	assert_non_null(strstr(err.causes[0].detail, "e1000e"));
	assert_non_null(strstr(err.remedy, "/sys/bus/pci/devices/" DEVICE1
			       "/driver/unbind`"));
}

static void unsafe_interrupts_are_allowed_by_the_modules_own_word(void **state)
{
	static const char parameter[] =
		"module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
	struct machine *m = *state;
	struct error err;

	add_device(m, DEVICE0, "pci-stub");
	tree_file(&m->tree, "kernel/irq/2/chip_name", "IO-APIC");
	tree_file(&m->tree, "module/iommufd/parameters/allow_unsafe_interrupts",
		  "Y"); /* another's */
	assert_int_equal(blame(m, &err), -EPERM);
	assert_int_equal(err.kind, ERROR_DEVICE_UNSAFE_INTERRUPTS);
	assert_non_null(strstr(err.remedy,
			       "vfio_iommu_type1.allow_unsafe_interrupts=1"));

	tree_file(&m->tree, parameter, "Y");
	assert_int_equal(blame(m, &err), -EPERM);
	assert_int_equal(err.kind, ERROR_DEVICE_UNUSABLE);

	/* And they are not unsafe where they are remapped. */
	tree_file(&m->tree, parameter, "N");
	tree_file(&m->tree, "kernel/irq/4/chip_name", "IR-PCI-MSIX-0000:00:03.0");
	assert_int_equal(blame(m, &err), -EPERM);
	assert_int_equal(err.kind, ERROR_DEVICE_UNUSABLE);
}

static void backends_have_names(void **state)
{
	enum kernel_backend backend;

	for (int i = 0; i < KERNEL_BACKEND_COUNT; i++) {
		assert_int_equal(kernel_backend_from_name(
			kernel_backend_name((enum kernel_backend)i), &backend),
			0);
		assert_int_equal(backend, i);
	}
	assert_int_equal(kernel_backend_from_name("vfio", &backend), -EINVAL);
}

int main(void)
{
#define ON_A_MACHINE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_it_says_is_read),
		cmocka_unit_test(what_is_not_said_is_not_known),
		cmocka_unit_test(
			capabilities_that_are_not_known_are_passed_over),
		cmocka_unit_test(a_broken_answer_is_refused),
		cmocka_unit_test(what_is_no_container_is_no_backend),
		ON_A_MACHINE(a_group_is_its_own_node_or_none),
		ON_A_MACHINE(a_sibling_with_its_driver_is_named_and_what_frees_it),
		ON_A_MACHINE(
			unsafe_interrupts_are_allowed_by_the_modules_own_word),
		cmocka_unit_test(backends_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
