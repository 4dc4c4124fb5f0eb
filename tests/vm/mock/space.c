/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - spaces on the kernel's mock: ends, ranges, windows, mappings
 *
 * Mappings are the library's in both rounds: the daemon makes none here.
 */
#include "vm/mock/mock.h"

#define RW (IOASID_MAP_READ | IOASID_MAP_WRITE)
#define FIXED (RW | IOASID_MAP_FIXED)

/* reserve() - A range as if a device had reserved it. Return: 0 or -errno. */
static int reserve(struct bench *b, uint64_t start, uint64_t length)
{
	struct mock_call call = {
		.op = MOCK_RESERVE, .id = b->space,
		.reserve.start = start, .reserve.length = length,
	};

	return mock(b, &call);
}

/* memory() - @pages of the process, filled with @byte */
static void *memory(size_t pages, int byte)
{
	void *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : memset(at, byte, pages * PAGE);
}

/* map_at() - Return: 0 or -errno. */
static int map_at(struct bench *b, void *at, uint64_t length, uint64_t iova)
{
	return ioasid_map(b->fd, b->space, at, length, FIXED, &iova, NULL);
}

static void a_space_with_a_device_is_busy(struct bench *b)
{
	uint32_t empty = 0;

	same(destroy(b, b->space), -EBUSY);
	same(destroy(b, b->table), -EBUSY);
	same(b->calls->space(b->fd, &empty), 0);
	same(destroy(b, empty), 0);
	same(destroy(b, empty), -ENOENT);
	same(destroy(b, 0), -ENOENT);
	/* With its device goes the page table that was made for it. */
	same(destroy(b, b->mock), 0);
	same(destroy(b, b->table), -ENOENT);
	same(destroy(b, b->space), 0);
}

static void a_space_with_a_page_table_is_busy(struct bench *b)
{
	int manual = table(b, 0);

	expect(manual > 0);
	same(destroy(b, b->mock), 0);
	same(destroy(b, b->space), -EBUSY);
	same(destroy(b, (uint32_t)manual), 0);
	same(destroy(b, b->space), 0);
}

static void ranges_are_what_the_iommu_translates(struct bench *b)
{
	struct kernel_range ranges[4];
	uint64_t alignment = 0;
	uint32_t fresh = 0;
	size_t n = 4;

	same(b->calls->ranges(b->fd, b->space, ranges, &n, &alignment), 0);
	same(n, 1);
	same(ranges[0].start, MOCK_FIRST);
	same(ranges[0].last, MOCK_LAST);
	same(alignment, MOCK_PAGE);

	same(b->calls->space(b->fd, &fresh), 0);
	n = 4;
	same(b->calls->ranges(b->fd, fresh, ranges, &n, &alignment), 0);
	same(n, 1);
	same(ranges[0].start, 0);
	expect(ranges[0].last == UINT64_MAX);
	same(b->calls->ranges(b->fd, b->device, ranges, &n, &alignment),
	     -ENOENT);
}

static void what_is_reserved_is_cut_out_and_not_promised(struct bench *b)
{
	const uint64_t at = MOCK_FIRST + 16 * PAGE;
	struct kernel_range ranges[4], window = { at - PAGE, at + PAGE };
	void *page = memory(1, 0x5a);
	uint64_t alignment;
	size_t n = 4;

	same(reserve(b, at, PAGE), 0);
	same(b->calls->ranges(b->fd, b->space, ranges, &n, &alignment), 0);
	same(n, 2);
	same(ranges[0].last, at - 1);
	same(ranges[1].start, at + PAGE);
	same(map_at(b, page, PAGE, at), -EINVAL);
	same(b->calls->allow(b->fd, b->space, &window, 1), -EADDRINUSE);
	window.last = at - 1;
	same(b->calls->allow(b->fd, b->space, &window, 1), 0);
	/* What is promised, or mapped, nobody can reserve. */
	same(reserve(b, at - PAGE, PAGE), -EADDRINUSE);
	same(map_at(b, page, PAGE, at + PAGE), 0);
	same(reserve(b, at + PAGE, PAGE), -EADDRINUSE);
	same(reserve(b, 0, 0), -EINVAL);
}

static void windows_place_what_has_no_address(struct bench *b)
{
	const struct kernel_range windows[] = {
		{ MOCK_FIRST + 64 * PAGE, MOCK_FIRST + 65 * PAGE - 1 },
		{ MOCK_FIRST + 128 * PAGE, MOCK_FIRST + 129 * PAGE - 1 },
	};
	const struct kernel_range bad[] = {
		{ MOCK_FIRST, MOCK_FIRST }, { MOCK_FIRST + 1, MOCK_FIRST },
	};
	void *page = memory(1, 1);
	uint64_t iova[3] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		same(b->calls->allow(b->fd, b->space, &bad[i], 1), -EINVAL);
	same(b->calls->allow(b->fd, b->space, windows, 2), 0);
	for (size_t i = 0; i < 2; i++)
		same(ioasid_map(b->fd, b->space, page, PAGE, RW, &iova[i],
				NULL), 0);
	expect(iova[0] + iova[1] == windows[0].start + windows[1].start);
	same(ioasid_map(b->fd, b->space, page, PAGE, RW, &iova[2], NULL),
	     -ENOSPC);
	/* They are no fence. */
	same(map_at(b, page, PAGE, MOCK_FIRST), 0);
	same(b->calls->allow(b->fd, b->space, NULL, 0), 0);
	same(ioasid_map(b->fd, b->space, page, PAGE, RW, &iova[2], NULL), 0);
}

static void what_is_mapped_is_in_the_page_table(struct bench *b)
{
	char *pages = memory(4, 0x11);
	uint64_t bytes = 0;

	memset(pages + PAGE, 0x22, PAGE);
	same(map_at(b, pages, 2 * PAGE, MOCK_FIRST), 0);
	same(maps(b, b->table, MOCK_FIRST, pages, 2 * PAGE), 0);
	expect(maps(b, b->table, MOCK_FIRST, pages + PAGE, PAGE) < 0);
	same(map_at(b, pages, PAGE, MOCK_FIRST + PAGE), -EEXIST);
	same(map_at(b, pages, PAGE, MOCK_FIRST + 3), -EINVAL);
	same(map_at(b, pages, PAGE, MOCK_FIRST - PAGE), -EINVAL);
	same(map_at(b, pages, 2 * PAGE, MOCK_LAST + 1 - PAGE), -EINVAL);
	same(map_at(b, pages, 0, MOCK_FIRST + 8 * PAGE), -EINVAL);

	same(ioasid_unmap(b->fd, b->space, MOCK_FIRST, PAGE, NULL, NULL),
	     -ENOENT);
	same(ioasid_unmap(b->fd, b->space, MOCK_FIRST, 4 * PAGE, &bytes, NULL),
	     0);
	same(bytes, 2 * PAGE);
	expect(maps(b, b->table, MOCK_FIRST, pages, PAGE) < 0);
}

static void unmap_all_is_a_fence(struct bench *b)
{
	char *pages = memory(2, 0x33);
	uint64_t bytes = 4711;

	same(b->calls->unmap_all(b->fd, b->space, &bytes), 0);
	same(bytes, 0);
	same(map_at(b, pages, PAGE, MOCK_FIRST), 0);
	same(map_at(b, pages, 2 * PAGE, MOCK_FIRST + 8 * PAGE), 0);
	same(b->calls->unmap_all(b->fd, b->space, &bytes), 0);
	same(bytes, 3 * PAGE);
	expect(maps(b, b->table, MOCK_FIRST, pages, PAGE) < 0);
	/* A space that there is not maps nothing: to the daemon that is done. */
	same(b->calls->unmap_all(b->fd, b->device, &bytes),
	     b->calls == &table_calls ? 0 : -ENOENT);
}

static void a_copy_has_the_pages_of_its_source(struct bench *b)
{
	uint64_t iova = MOCK_FIRST + 8 * PAGE;
	char *pages = memory(2, 0x44);
	uint32_t source = 0;

	same(b->calls->space(b->fd, &source), 0);
	same(ioasid_map(b->fd, source, pages, 2 * PAGE, IOASID_MAP_READ |
			IOASID_MAP_FIXED, &(uint64_t){ PAGE }, NULL), 0);
	same(ioasid_copy(b->fd, b->space, source, PAGE, 2 * PAGE, FIXED, &iova,
			 NULL), -EPERM);
	same(ioasid_copy(b->fd, b->space, source, 2 * PAGE, 2 * PAGE,
			 IOASID_MAP_READ | IOASID_MAP_FIXED, &iova, NULL),
	     -ENOENT);
	same(ioasid_copy(b->fd, b->space, source, 2 * PAGE, PAGE,
			 IOASID_MAP_READ | IOASID_MAP_FIXED, &iova, NULL), 0);
	same(maps(b, b->table, iova, pages + PAGE, PAGE), 0);
	/* It outlives the source. */
	same(destroy(b, source), 0);
	same(maps(b, b->table, iova, pages + PAGE, PAGE), 0);
}

static void a_file_stays_mapped_when_it_is_closed(struct bench *b)
{
	int file = memfd_create("mock", MFD_CLOEXEC);
	int text = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t iova = MOCK_FIRST;
	char *view;

	expect(!ftruncate(file, 2 * PAGE));
	view = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file,
		    0);
	memset(view, 0x66, 2 * PAGE);
	same(ioasid_map_file(b->fd, b->space, file, 0, 3 * PAGE, FIXED, &iova,
			     NULL), -EINVAL);
	same(ioasid_map_file(b->fd, b->space, text, 0, PAGE, FIXED, &iova,
			     NULL), -EINVAL);
	same(ioasid_map_file(b->fd, b->space, -1, 0, PAGE, FIXED, &iova, NULL),
	     -EBADF);
	same(ioasid_map_file(b->fd, b->space, file, PAGE, PAGE, FIXED, &iova,
			     NULL), 0);
	close(file);
	close(text);
	same(maps(b, b->table, iova, view + PAGE, PAGE), 0);
}

static void a_context_ends_with_all_that_is_in_it(struct bench *b)
{
	int manual = table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	char *page = memory(1, 7);

	expect(manual > 0);
	expect(nested(b, (uint32_t)manual, 0, 0) > 0);
	same(map_at(b, page, PAGE, MOCK_FIRST), 0);
	same(move_to(b, b->mock, (uint32_t)manual), 0);
	/* run_case() closes it with all of that. */
}

#define LIST(X) \
	X(a_space_with_a_device_is_busy) \
	X(a_space_with_a_page_table_is_busy) \
	X(ranges_are_what_the_iommu_translates) \
	X(what_is_reserved_is_cut_out_and_not_promised) \
	X(windows_place_what_has_no_address) \
	X(what_is_mapped_is_in_the_page_table) \
	X(unmap_all_is_a_fence) \
	X(a_copy_has_the_pages_of_its_source) \
	X(a_file_stays_mapped_when_it_is_closed) \
	X(a_context_ends_with_all_that_is_in_it)

CASES(LIST)
