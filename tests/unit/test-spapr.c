/* SPDX-License-Identifier: Apache-2.0
 *
 * test-spapr.c - libioasid on containers of POWER, and KVM's tables: the calls that
 *		  are made, and those that are not
 *
 * Kernel, firmware and KVM are a double: ioctl() of this file, to which the library
 * is bound here. A window that it has to refuse costs the device, as on QEMU's
 * pseries. The real container and the real KVM are in tests/vm/cases/test_spapr.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static int double_ioctl(int fd, unsigned long request, void *arg);

/* The library itself, but for kernel.c and call.h. */
#define LIBIOASID_CALL_H
#define call_ioctl double_ioctl
#define ioctl(fd, request, arg) double_ioctl(fd, request, arg)
#include "libioasid/fail.c"
#include "libioasid/kvm.c"
#include "libioasid/spapr.c"
#undef ioctl

#define G (UINT64_C(1) << 30)
#define BASE UINT64_C(0x800000000000000)
#define CONTAINER 100
#define VM 101
#define KVM_DEVICE 102
#define TABLE 103
#define GROUP 104
#define PAGES_64K 16

/* --- the double --- */

/**
 * struct container - What the kernel knows
 * @dynamic:	Length of the dynamic window; 0 for none
 * @room:	The longest that there is room for
 * @lost:	The firmware has refused one
 * @asked:	How often it was asked
 * @pending:	The default window was not made yet
 */
static struct container {
	uint32_t max_windows;
	uint64_t dynamic, room;
	uint32_t shift;
	bool lost, pending, has_default;
	unsigned int asked, removed;
	uint64_t memory, mapped;
	struct uapi_kvm_create_spapr_tce_64 table;
	struct uapi_kvm_vfio_spapr_tce link;
	struct uapi_iommu_type1_dma_map map;
} c;

static struct ioasid_error err;

/* no() - Refuse. Return: -1 with errno. */
static int no(int error)
{
	errno = error;
	return -1;
}

static int double_info(struct uapi_iommu_spapr_tce_info *info)
{
	info->flags = UAPI_IOMMU_SPAPR_INFO_DDW;
	info->dma32_window_size = 0x40000000;
	info->ddw.pgsizes = 0x1211000;
	info->ddw.max_dynamic_windows_supported = c.max_windows;
	info->ddw.levels = 1;
	return 0;
}

static int double_create(struct uapi_iommu_spapr_tce_create *make)
{
	c.asked++;
	if (c.pending)
		c.has_default = true;
	c.pending = false;
	if (c.lost)
		return no(ENODEV);
	if (c.dynamic && c.has_default)
		return no(ENOSPC);
	if (make->window_size > c.room)
		return no(EINVAL);
	if (c.dynamic || make->window_size & (make->window_size - 1) ||
	    !(0x1211000 >> make->page_shift & 1) ||
	    (c.max_windows < 2 && c.has_default)) {
		c.lost = true;
		return no(ENODEV);
	}
	c.dynamic = make->window_size;
	c.shift = make->page_shift;
	make->start_addr = BASE;
	return 0;
}

static int double_remove(uint64_t start)
{
	if (start == 0 && c.pending) {
		c.pending = false;
		return 0;
	}
	if (start != BASE || !c.dynamic)
		return no(EINVAL);
	c.dynamic = 0;
	c.mapped = 0;
	c.removed++;
	return 0;
}

static int double_map(struct uapi_iommu_type1_dma_map *map)
{
	uint64_t page = map->iova >= BASE ? UINT64_C(1) << c.shift : 4096;

	c.map = *map;
	if (!c.memory)
		return no(EPERM);
	if (map->iova >= (map->iova >= BASE ? BASE + c.dynamic : G))
		return no(ENXIO);
	if ((map->vaddr | map->size) & (page - 1) || map->vaddr != c.memory)
		return no(EINVAL);
	c.mapped = map->iova;
	return 0;
}

static int double_kvm(unsigned long request, void *arg)
{
	const struct uapi_kvm_device_attr *attr = arg;

	if (request == UAPI_KVM_CREATE_SPAPR_TCE_64) {
		if (c.table.liobn)
			return no(EBUSY);
		c.table = *(struct uapi_kvm_create_spapr_tce_64 *)arg;
		return TABLE;
	}
	if (request != UAPI_KVM_SET_DEVICE_ATTR || attr->group != 1 ||
	    attr->attr != UAPI_KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE)
		return no(ENXIO);
	c.link = *(struct uapi_kvm_vfio_spapr_tce *)(uintptr_t)attr->addr;
	if (c.link.groupfd != GROUP)
		return no(ENOENT);
	return c.link.tablefd == TABLE ? 0 : no(EINVAL);
}

static int double_ioctl(int fd, unsigned long request, void *arg)
{
	struct uapi_iommu_spapr_register_memory *memory = arg;

	if (fd == VM || fd == KVM_DEVICE)
		return double_kvm(request, arg);
	if (fd != CONTAINER)
		return no(ENOTTY);
	switch (request) {
	case UAPI_IOMMU_SPAPR_TCE_GET_INFO:
		return double_info(arg);
	case UAPI_IOMMU_SPAPR_TCE_CREATE:
		return double_create(arg);
	case UAPI_IOMMU_SPAPR_TCE_REMOVE:
		return double_remove(
			((struct uapi_iommu_spapr_tce_remove *)arg)->start_addr);
	case UAPI_IOMMU_SPAPR_REGISTER_MEMORY:
		if (c.memory)
			return no(c.memory == memory->vaddr ? EBUSY : EINVAL);
		c.memory = memory->vaddr;
		return 0;
	case UAPI_IOMMU_SPAPR_UNREGISTER_MEMORY:
		if (c.memory != memory->vaddr)
			return no(ENOENT);
		c.memory = 0;
		return 0;
	case UAPI_IOMMU_MAP_DMA:
		return double_map(arg);
	case UAPI_IOMMU_UNMAP_DMA:
		return ((struct uapi_iommu_type1_dma_unmap *)arg)->iova >= G &&
				       !c.dynamic ? no(ENXIO) : 0;
	}
	return no(ENOTTY);
}

static int fresh(void **state)
{
	c = (struct container){
		.max_windows = 2, .room = 1024 * G, .pending = true,
	};
	memset(&err, 0, sizeof(err));
	return 0;
}

/* --- windows --- */

#define KEEP { .kind = IOASID_TCE_KEEP_DEFAULT, .size = G, .page_shift = 12 }
#define REMOVE { .kind = IOASID_TCE_REMOVE_DEFAULT }
#define CREATE(n, s) \
	{ .kind = IOASID_TCE_CREATE, .size = (n), .page_shift = (s), .levels = 1 }

static void plan_is_carried_out(void **state)
{
	const struct ioasid_tce_step steps[] = { KEEP, CREATE(64 * G, 16) };
	struct ioasid_tce_window window = { .size = 0 };

	assert_int_equal(ioasid_tce_carry_out(CONTAINER, steps, 2, &window,
					      &err), 0);
	assert_int_equal(window.start, BASE);
	assert_int_equal(window.size, 64 * G);
	assert_int_equal(window.page_shift, 16);
	assert_true(c.has_default);
	assert_int_equal(c.asked, 1);
}

static void only_window_replaces_the_default_one(void **state)
{
	const struct ioasid_tce_step steps[] = { REMOVE, CREATE(64 * G, 16) };

	c.max_windows = 1;
	assert_int_equal(ioasid_tce_carry_out(CONTAINER, steps, 2, NULL, &err),
			 0);
	assert_false(c.has_default);
	assert_int_equal(c.dynamic, 64 * G);
}

static void what_cannot_be_never_gets_to_the_platform(void **state)
{
	static const struct {
		struct ioasid_tce_step steps[2];
		uint32_t max_windows;
	} bad[] = {
		{ { KEEP, CREATE(3 * G, 16) }, 2 },
		{ { KEEP, CREATE(0, 16) }, 2 },
		{ { KEEP, CREATE(G, 13) }, 2 },
		{ { KEEP, CREATE(G, 64) }, 2 },
		{ { KEEP, CREATE(4096, 16) }, 2 },
		{ { KEEP, { .kind = IOASID_TCE_CREATE, .size = G,
			    .page_shift = 16, .levels = 2 } }, 2 },
		{ { KEEP, { .kind = IOASID_TCE_CREATE, .size = G,
			    .page_shift = 16 } }, 2 },
		{ { CREATE(G, 16), CREATE(G, 12) }, 2 },
		{ { CREATE(G, 16), REMOVE }, 2 },
		{ { KEEP, { .kind = 9 } }, 2 },
		{ { KEEP, CREATE(G, 16) }, 1 },
		/* No dynamic windows: the kernel's -1. */
		{ { KEEP, CREATE(G, 16) }, UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh(NULL);
		c.max_windows = bad[i].max_windows;
		if (ioasid_tce_carry_out(CONTAINER, bad[i].steps, 2, NULL,
					 &err) != -EINVAL)
			fail_msg("steps %zu are taken", i);
		assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
		assert_int_equal(c.asked, 0);
		assert_true(c.pending);
	}
}

static void what_the_platform_says_is_told(void **state)
{
	const struct ioasid_tce_step steps[] = { CREATE(64 * G, 16) };

	c.room = G;
	assert_int_equal(ioasid_tce_carry_out(CONTAINER, steps, 1, NULL, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_FULL);
	c.lost = true;
	assert_int_equal(ioasid_tce_carry_out(CONTAINER, steps, 1, NULL, &err),
			 -ENODEV);
	assert_string_equal(err.id, IOASID_ERROR_UNSUPPORTED);
	assert_int_equal(ioasid_tce_carry_out(5, steps, 1, NULL, &err),
			 -ENOTTY);
	assert_string_equal(err.id, IOASID_ERROR_UNSUPPORTED);
}

static struct ioasid_tce_window made(void)
{
	const struct ioasid_tce_step steps[] = { KEEP, CREATE(64 * G, 16) };
	struct ioasid_tce_window window = { .size = 0 };

	assert_int_equal(ioasid_tce_carry_out(CONTAINER, steps, 2, &window,
					      &err), 0);
	return window;
}

static void window_is_resized(void **state)
{
	struct ioasid_tce_window window = made();

	assert_int_equal(ioasid_tce_resize(CONTAINER, &window, 128 * G, &err),
			 0);
	assert_int_equal(window.size, 128 * G);
	assert_int_equal(c.dynamic, 128 * G);
	assert_int_equal(c.removed, 1);
}

static void resize_that_cannot_be_leaves_the_window(void **state)
{
	struct ioasid_tce_window window = made();

	assert_int_equal(ioasid_tce_resize(CONTAINER, &window, 96 * G, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	assert_int_equal(c.removed, 0);
	assert_int_equal(ioasid_tce_resize(CONTAINER, &window, 2048 * G, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_FULL);
	assert_int_equal(window.size, 64 * G);
	assert_int_equal(c.dynamic, 64 * G);
}

static void window_that_is_lost_is_said_to_be(void **state)
{
	struct ioasid_tce_window window = made();

	c.lost = true;
	assert_int_equal(ioasid_tce_resize(CONTAINER, &window, 128 * G, &err),
			 -ENODEV);
	assert_int_equal(window.size, 0);
	assert_int_equal(c.asked, 2);
}

static void no_dynamic_windows_is_known_for_what_it_is(void **state)
{
	struct ioasid_tce_info info = { .levels = 0 };

	c.max_windows = UINT32_MAX;
	assert_int_equal(ioasid_tce_info(CONTAINER, &info, &err), 0);
	assert_int_equal(info.page_sizes, 0);
	assert_int_equal(info.max_windows, 1);
	assert_int_equal(info.dma32_size, G);
}

/* --- memory --- */

static void memory_is_registered_then_mapped(void **state)
{
	static uint8_t memory[2 * 65536] __attribute__((aligned(65536)));
	uint64_t iova = made().start;

	assert_int_equal(ioasid_tce_map(CONTAINER, memory, 65536,
					IOASID_MAP_READ, iova, &err), -EPERM);
	assert_int_equal(ioasid_tce_register(CONTAINER, memory, 65536, &err), 0);
	assert_int_equal(ioasid_tce_register(CONTAINER, memory, 65536, &err),
			 -EBUSY);
	assert_string_equal(err.id, IOASID_ERROR_IN_USE);
	assert_int_equal(ioasid_tce_map(CONTAINER, memory, 65536,
					IOASID_MAP_WRITE, iova, &err), 0);
	assert_int_equal(c.map.flags, UAPI_DMA_MAP_FLAG_WRITE);
	assert_int_equal(c.map.argsz, sizeof(c.map));
	assert_int_equal(c.mapped, iova);
	assert_int_equal(ioasid_tce_unmap(CONTAINER, iova, 65536, &err), 0);
	assert_int_equal(ioasid_tce_unregister(CONTAINER, memory + 1, 65536,
					       &err), -ENOENT);
	assert_int_equal(ioasid_tce_unregister(CONTAINER, memory, 65536, &err),
			 0);
}

static void refused_mappings_say_why(void **state)
{
	static uint8_t memory[65536] __attribute__((aligned(65536)));
	uint64_t iova = made().start;

	assert_int_equal(ioasid_tce_register(CONTAINER, memory, 65536, &err), 0);
	assert_int_equal(ioasid_tce_map(CONTAINER, memory, 65536, IOASID_MAP_READ,
					2 * G, &err), -ENXIO);
	assert_string_equal(err.id, IOASID_ERROR_MAP_RANGE);
	assert_int_equal(ioasid_tce_map(CONTAINER, memory, 4096, IOASID_MAP_READ,
					iova, &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_MEMORY);
	assert_int_equal(ioasid_tce_map(CONTAINER, memory + 1, 4096,
					IOASID_MAP_READ, 0, &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_ALIGNMENT);
	assert_int_equal(ioasid_tce_remove(CONTAINER, iova, &err), 0);
	assert_int_equal(ioasid_tce_unmap(CONTAINER, iova, 4096, &err), -ENXIO);
	assert_int_equal(ioasid_tce_remove(CONTAINER, iova, &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
}

/* --- KVM --- */

static void table_is_made_in_pages_and_linked(void **state)
{
	struct ioasid_tce_window window = made();
	int table = -1;

	assert_int_equal(ioasid_kvm_tce_new(VM, 0x80000001, &window, &table,
					    &err), 0);
	assert_int_equal(table, TABLE);
	assert_int_equal(c.table.liobn, 0x80000001);
	assert_int_equal(c.table.page_shift, 16);
	assert_int_equal(c.table.offset, BASE >> 16);
	assert_int_equal(c.table.size, 64 * G >> 16);
	assert_int_equal(ioasid_kvm_tce_link(KVM_DEVICE, GROUP, table, &err), 0);
	assert_int_equal(c.link.groupfd, GROUP);
	assert_int_equal(c.link.tablefd, TABLE);
}

static void refused_tables_say_why(void **state)
{
	struct ioasid_tce_window window = made();
	int table = -1;

	assert_int_equal(ioasid_kvm_tce_new(VM, 1, &window, &table, &err), 0);
	assert_int_equal(ioasid_kvm_tce_new(VM, 1, &window, &table, &err),
			 -EBUSY);
	assert_string_equal(err.id, IOASID_ERROR_IN_USE);
	window.size += 4096;
	assert_int_equal(ioasid_kvm_tce_new(VM, 2, &window, &table, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	assert_int_equal(ioasid_kvm_tce_new(CONTAINER, 2, &(struct
			 ioasid_tce_window){ .size = G, .page_shift = 16 },
					    &table, &err), -ENOTTY);
	assert_string_equal(err.id, IOASID_ERROR_UNSUPPORTED);
	assert_int_equal(ioasid_kvm_tce_link(KVM_DEVICE, 7, TABLE, &err),
			 -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
	assert_int_equal(ioasid_kvm_tce_link(KVM_DEVICE, GROUP, 7, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plan_is_carried_out),
		TEST(only_window_replaces_the_default_one),
		TEST(what_cannot_be_never_gets_to_the_platform),
		TEST(what_the_platform_says_is_told),
		TEST(window_is_resized),
		TEST(resize_that_cannot_be_leaves_the_window),
		TEST(window_that_is_lost_is_said_to_be),
		TEST(no_dynamic_windows_is_known_for_what_it_is),
		TEST(memory_is_registered_then_mapped),
		TEST(refused_mappings_say_why),
		TEST(table_is_made_in_pages_and_linked),
		TEST(refused_tables_say_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
