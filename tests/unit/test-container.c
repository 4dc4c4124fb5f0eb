/* SPDX-License-Identifier: Apache-2.0
 *
 * test-container.c - libioasid on a VFIO container: the calls that it makes, and
 *		      what it makes of their answers
 *
 * The kernel is ioasid_ioctl() of this file. What a real one refuses is asked for
 * in tests/vm/cases/test_hold_type1.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/str.h"

/* The library itself, but for kernel.c and call.h. */
#define LIBIOASID_CALL_H
#define call_ioctl ioasid_ioctl
#include "libioasid/fail.c"
#include "libioasid/container.c"
#include "libioasid/dirty.c"
#include "libioasid/explain.c"
#include "libioasid/explain-table.c"
#include "libioasid/ioas.c"
#include "libioasid/map.c"

#define RW (IOASID_MAP_READ | IOASID_MAP_WRITE)
#define FIXED (RW | IOASID_MAP_FIXED)
#define PAGE 0x1000u
#define CONTAINER 100
#define OWN IOASID_SPACE_OF_CONTAINER

/* What GET_INFO answers: a head, a capability that nobody knows, ranges. */
static struct {
	struct uapi_iommu_type1_info head;
	struct uapi_info_cap_header other;
	struct {	/* struct uapi_iommu_type1_info_cap_iova_range */
		struct uapi_info_cap_header header;
		uint32_t nr_iovas;
		uint32_t reserved;
	} cap;
	struct uapi_iova_range ranges[2];
} info;
static unsigned long request;	/* the last call */
static uint8_t sent[64];	/* its structure */
static size_t n_calls;
static int error;		/* it is refused with; 0: it is not */
static uint64_t unmapped;	/* what UNMAP_DMA says */
static struct ioasid_error err;

int ioasid_ioctl(int fd, unsigned long nr, void *arg)
{
	uint32_t size = *(uint32_t *)arg;

	assert_int_equal(fd, CONTAINER);
	request = nr;
	n_calls++;
	memcpy(sent, arg, size < sizeof(sent) ? size : sizeof(sent));
	if (nr == UAPI_IOMMU_GET_INFO) {
		assert_in_range(size, sizeof(info), UINT32_MAX);
		memcpy(arg, &info, sizeof(info));
		return 0;
	}
	if (error) {
		errno = error;
		return -1;
	}
	if (nr == UAPI_IOMMU_UNMAP_DMA)
		((struct uapi_iommu_type1_dma_unmap *)arg)->size = unmapped;
	return 0;
}

static int setup(void **state)
{
	memset(&info, 0, sizeof(info));
	info.head.argsz = sizeof(info);
	info.head.flags = UAPI_IOMMU_INFO_PGSIZES | UAPI_IOMMU_INFO_CAPS;
	info.head.iova_pgsizes = 0x40201000;
	info.head.cap_offset = sizeof(info.head);
	info.other.id = 99;
	info.other.next = sizeof(info.head) + sizeof(info.other);
	info.cap.header.id = UAPI_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	info.cap.nr_iovas = 2;
	info.ranges[0] = (struct uapi_iova_range){ 0, 0xfedfffff };
	info.ranges[1] = (struct uapi_iova_range){ 0xfef00000, UINT64_MAX };
	memset(sent, 0, sizeof(sent));
	memset(&err, 0, sizeof(err));
	n_calls = 0;
	error = 0;
	unmapped = PAGE;
	return 0;
}

static void map_is_one_call_with_the_flags_of_type1(void **state)
{
	struct uapi_iommu_type1_dma_map map;
	uint64_t iova = 0x2000;
	char page[1];

	assert_int_equal(ioasid_map(CONTAINER, OWN, page, PAGE,
				    IOASID_MAP_FIXED | IOASID_MAP_WRITE, &iova,
				    &err), 0);
	assert_int_equal(n_calls, 1);
	assert_true(request == UAPI_IOMMU_MAP_DMA);
	memcpy(&map, sent, sizeof(map));
	assert_int_equal(map.argsz, sizeof(map));
	assert_int_equal(map.flags, UAPI_DMA_MAP_FLAG_WRITE);
	assert_true(map.iova == 0x2000 && map.size == PAGE);
	assert_true(map.vaddr == (uintptr_t)page);
	assert_int_equal(ioasid_map(CONTAINER, OWN, page, PAGE, FIXED, &iova,
				    &err), 0);
	memcpy(&map, sent, sizeof(map));
	assert_int_equal(map.flags, UAPI_DMA_MAP_FLAG_WRITE |
				    UAPI_DMA_MAP_FLAG_READ);
}

static void what_a_container_lacks_is_refused_without_a_call(void **state)
{
	struct ioasid_range window = { 0, PAGE - 1 };
	uint64_t iova = 0, bits = 0;

	assert_int_equal(ioasid_map(CONTAINER, OWN, &iova, PAGE, RW, &iova,
				    &err), -EOPNOTSUPP);
	assert_string_equal(err.id, IOASID_ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.remedy, "IOASID_MAP_FIXED"));
	assert_int_equal(ioasid_map(CONTAINER, OWN, &iova, PAGE, FIXED | 8,
				    &iova, &err), -EOPNOTSUPP);
	assert_int_equal(ioasid_map_file(CONTAINER, OWN, 0, 0, PAGE, FIXED,
					 &iova, &err), -EOPNOTSUPP);
	assert_int_equal(ioasid_copy(CONTAINER, OWN, OWN, 0, PAGE, FIXED,
				     &iova, &err), -EOPNOTSUPP);
	assert_int_equal(ioasid_ioas_allow(CONTAINER, OWN, &window, 1, &err),
			 -EOPNOTSUPP);
	assert_int_equal(ioasid_dirty_read(CONTAINER, OWN, 0, PAGE, PAGE,
					   IOASID_DIRTY_KEEP, &bits, &err),
			 -EOPNOTSUPP);
	assert_int_equal(ioasid_dirty_read(CONTAINER, OWN, 0, PAGE, 0, 0, &bits,
					   &err), -EINVAL);
	assert_int_equal(n_calls, 0);
}

static void unmap_of_nothing_is_as_with_iommufd(void **state)
{
	uint64_t bytes = 1;

	assert_int_equal(ioasid_unmap(CONTAINER, OWN, 0, PAGE, &bytes, &err),
			 0);
	assert_true(bytes == PAGE);
	unmapped = 0;
	assert_int_equal(ioasid_unmap(CONTAINER, OWN, 0, PAGE, NULL, &err),
			 -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NOT_MAPPED);
	/* A mapping sticks out. */
	error = EINVAL;
	assert_int_equal(ioasid_unmap(CONTAINER, OWN, 0, PAGE, NULL, NULL),
			 -ENOENT);
	assert_int_equal(ioasid_unmap(CONTAINER, OWN, 0, 0, NULL, NULL),
			 -EINVAL);
	/* Of what is not aligned the kernel does not see that it wraps. */
	assert_int_equal(ioasid_unmap(CONTAINER, OWN, PAGE, UINT64_MAX, NULL,
				      &err), -EOVERFLOW);
	assert_string_equal(err.id, IOASID_ERROR_MAP_RANGE);
	assert_int_equal(ioasid_unmap(CONTAINER, OWN, 0, UINT64_MAX - 1, NULL,
				      NULL), -ENOENT);
}

static void unmap_all_says_so(void **state)
{
	struct uapi_iommu_type1_dma_unmap unmap;
	uint64_t bytes = 1;

	unmapped = 0;
	assert_int_equal(ioasid_unmap_all(CONTAINER, OWN, &bytes, &err), 0);
	assert_true(bytes == 0);
	memcpy(&unmap, sent, sizeof(unmap));
	assert_int_equal(unmap.flags, UAPI_DMA_UNMAP_FLAG_ALL);
	assert_true(unmap.iova == 0 && unmap.size == 0);
	/* iommufd's words for it. */
	assert_int_equal(ioasid_unmap(CONTAINER, OWN, 0, UINT64_MAX, NULL,
				      &err), 0);
	memcpy(&unmap, sent, sizeof(unmap));
	assert_int_equal(unmap.flags, UAPI_DMA_UNMAP_FLAG_ALL);
	error = EINVAL;
	assert_int_equal(ioasid_unmap_all(CONTAINER, OWN, NULL, &err),
			 -EOPNOTSUPP);
}

static void ranges_are_found_behind_other_capabilities(void **state)
{
	struct ioasid_range ranges[2];
	uint64_t alignment = 0;
	size_t n = 2;

	assert_int_equal(ioasid_ioas_ranges(CONTAINER, OWN, ranges, &n,
					    &alignment, &err), 0);
	assert_int_equal(n, 2);
	assert_true(ranges[1].start == 0xfef00000 &&
		    ranges[1].last == UINT64_MAX);
	assert_true(alignment == PAGE);
	n = 1;
	assert_int_equal(ioasid_ioas_ranges(CONTAINER, OWN, ranges, &n, NULL,
					    &err), -EMSGSIZE);
	assert_int_equal(n, 2);
}

/* A kernel is not expected to; nothing is read beyond the answer then (ASan). */
static void answer_that_cannot_be_has_no_ranges(void **state)
{
	struct ioasid_range ranges[2];
	size_t n;

	for (int i = 0; i < 5; i++) {
		setup(state);
		n = 2;
		if (i == 0)
			info.other.next = sizeof(info.head);
		else if (i == 1)
			info.other.next = UINT32_MAX;
		else if (i == 2)
			info.cap.nr_iovas = UINT32_MAX;
		else if (i == 3)
			info.head.flags = 0;
		else
			info.cap.header.id = 98;
		assert_int_equal(ioasid_ioas_ranges(CONTAINER, OWN, ranges, &n,
						    NULL, &err), -EOPNOTSUPP);
	}
}

static void refusals_name_container_and_reason(void **state)
{
	uint64_t iova = 0xfee00000;
	char page[1];

	error = EINVAL;
	assert_int_equal(ioasid_map(CONTAINER, OWN,
				    (void *)((uintptr_t)page & ~0xfffUL), PAGE,
				    FIXED, &iova, &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_RANGE);
	assert_non_null(strstr(err.remedy, "0xfef00000"));
	error = ENOSPC;
	assert_int_equal(ioasid_map(CONTAINER, OWN, page, PAGE, FIXED, &iova,
				    &err), -ENOSPC);
	assert_non_null(strstr(err.message, "dma_entry_limit"));
	error = ENOTTY;
	assert_int_equal(ioasid_map(CONTAINER, OWN, page, PAGE, FIXED, &iova,
				    &err), -ENOTTY);
	assert_non_null(strstr(err.message, "not a VFIO container"));
	/* An iommufd has no such space. */
	error = ENODEV;
	assert_int_equal(ioasid_map(CONTAINER, OWN, page, PAGE, FIXED, &iova,
				    &err), -ENOENT);
}

static void dirty_bitmap_is_of_whole_words(void **state)
{
	struct uapi_iommu_type1_dirty_bitmap_get range;
	uint64_t bits[2] = { 0 };

	assert_int_equal(ioasid_dirty_watch(CONTAINER, OWN, true, &err), 0);
	assert_true(request == UAPI_IOMMU_DIRTY_PAGES);
	assert_int_equal(ioasid_dirty_read(CONTAINER, OWN, 0, 65 * PAGE, PAGE,
					   0, bits, &err), 0);
	memcpy(&range, sent + sizeof(struct uapi_iommu_type1_dirty_bitmap),
	       sizeof(range));
	assert_true(range.size == 65 * PAGE);
	assert_true(range.bitmap.pgsize == PAGE && range.bitmap.size == 16);
	assert_true(range.bitmap.data == (uintptr_t)bits);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(map_is_one_call_with_the_flags_of_type1),
		TEST(what_a_container_lacks_is_refused_without_a_call),
		TEST(unmap_of_nothing_is_as_with_iommufd),
		TEST(unmap_all_says_so),
		TEST(ranges_are_found_behind_other_capabilities),
		TEST(answer_that_cannot_be_has_no_ranges),
		TEST(refusals_name_container_and_reason),
		TEST(dirty_bitmap_is_of_whole_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
