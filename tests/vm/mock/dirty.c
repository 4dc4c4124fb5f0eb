/* SPDX-License-Identifier: Apache-2.0
 *
 * dirty.c - dirty tracking on the kernel's mock: on, off, and what is read
 */
#include "vm/mock/mock.h"

#define FIXED (IOASID_MAP_READ | IOASID_MAP_WRITE | IOASID_MAP_FIXED)
#define LENGTH (1UL << 20)	/* of what is mapped: 512 of the mock's pages */
#define HUGE_LENGTH (8UL << 20)

/**
 * struct tracked - A page table that is watched
 * @id:		It
 * @length:	Of what its space maps from MOCK_FIRST on
 */
struct tracked {
	uint32_t id;
	uint64_t length;
};

/* set() - Bit @n of @bits, of any alignment */
static void set(void *bits, size_t n)
{
	((uint8_t *)bits)[n / 8] |= (uint8_t)(1U << n % 8);
}

static bool is_set(const void *bits, size_t n)
{
	return ((const uint8_t *)bits)[n / 8] >> n % 8 & 1;
}

/**
 * watch() - A page table with dirty tracking on
 * @huge:	With long pages, which is memory of 2 MiB each
 */
static bool watch(struct bench *b, bool huge, struct tracked *ret)
{
	const struct mock_data data = { .huge = huge };
	struct uapi_option small = {
		.size = sizeof(small), .option_id = UAPI_OPTION_HUGE_PAGES,
		.op = UAPI_OPTION_OP_SET, .object_id = b->space, .val64 = 0,
	};
	uint64_t iova = MOCK_FIRST;
	void *memory;
	int id;

	ret->length = huge ? HUGE_LENGTH : LENGTH;
	memory = mmap(NULL, ret->length, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0),
		      -1, 0);
	if (!expect(memory != MAP_FAILED))
		return false;
	/* Pages of 4 KiB, two of the mock's each, whatever lies together. */
	if (!huge && !expect(!ioctl(b->fd, UAPI_OPTION, &small)))
		return false;
	if (!expect(!ioasid_map(b->fd, b->space, memory, ret->length, FIXED,
				&iova, NULL)))
		return false;
	id = table_on(b, b->space, UAPI_HWPT_ALLOC_DIRTY_TRACKING, MOCK_DATA,
		      &data, sizeof(data), 0);
	if (!expect(id > 0))
		return false;
	ret->id = (uint32_t)id;
	return expect(!b->calls->set_dirty(b->fd, ret->id, true));
}

/* written() - Say that the pages of the mock's @bits were written. Return: how
 * many; -errno.
 */
static long written(struct bench *b, const struct tracked *t, const void *bits)
{
	struct mock_call call = {
		.op = MOCK_WRITTEN, .id = t->id, .written.iova = MOCK_FIRST,
		.written.length = t->length, .written.page = MOCK_PAGE,
		.written.bits = (uintptr_t)bits,
	};
	int r = mock(b, &call);

	return r < 0 ? r : (long)call.written.n;
}

/* get() - Read bits into @bits. Return: 0 or -errno. */
static int get(struct bench *b, const struct tracked *t, uint64_t page,
	       bool keep, void *bits)
{
	return b->calls->get_dirty(b->fd, t->id, MOCK_FIRST, t->length, page,
				   keep, bits);
}

static void tracking_is_of_page_tables_made_for_it(struct bench *b)
{
	uint64_t bits = 0;
	int plain = table(b, 0), tracked;

	same(b->calls->set_dirty(b->fd, (uint32_t)plain, true), -EOPNOTSUPP);
	same(b->calls->set_dirty(b->fd, b->space, true), -ENOENT);
	same(b->calls->set_dirty(b->fd, 4711, true), -ENOENT);
	same(b->calls->get_dirty(b->fd, (uint32_t)plain, MOCK_FIRST, PAGE, PAGE,
				 false, &bits), -EOPNOTSUPP);
	tracked = table(b, UAPI_HWPT_ALLOC_DIRTY_TRACKING);
	expect(tracked > 0);
	for (int i = 0; i < 2; i++) {
		same(b->calls->set_dirty(b->fd, (uint32_t)tracked, true), 0);
		same(b->calls->set_dirty(b->fd, (uint32_t)tracked, true), 0);
		same(b->calls->set_dirty(b->fd, (uint32_t)tracked, false), 0);
	}
}

static void a_device_that_cannot_is_not_on_a_tracked_table(struct bench *b)
{
	int tracked = table(b, UAPI_HWPT_ALLOC_DIRTY_TRACKING);
	uint32_t other = 0, mine, id = 0;
	struct kernel_hwpt wish;

	same(new_device(b, (uint32_t)tracked, MOCK_NO_DIRTY, &mine, NULL, NULL),
	     -EINVAL);
	same(b->calls->space(b->fd, &other), 0);
	wish = (struct kernel_hwpt){
		.pt_id = other, .flags = UAPI_HWPT_ALLOC_DIRTY_TRACKING,
	};
	same(new_device(b, other, MOCK_NO_DIRTY, &mine, &wish.dev_id, NULL), 0);
	same(b->calls->table(b->fd, &wish, &id), -EOPNOTSUPP);
}

static void one_page_is_read_once(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8], got[sizeof(bits)];
	struct tracked t;

	if (!watch(b, false, &t))
		return;
	same(get(b, &t, MOCK_PAGE, false, got), 0);
	for (size_t i = 0; i < sizeof(got); i++)
		same(got[i], 0);
	set(bits, 20);
	same(written(b, &t, bits), 1);
	same(get(b, &t, MOCK_PAGE, false, got), 0);
	/* The page table's page of 4 KiB is two of the mock's. */
	for (size_t i = 0; i < sizeof(got) * 8; i++)
		same(is_set(got, i), i == 20 || i == 21);
	memset(got, 0, sizeof(got));
	same(get(b, &t, MOCK_PAGE, false, got), 0);
	for (size_t i = 0; i < sizeof(got); i++)
		same(got[i], 0);
	memset(bits, 0, sizeof(bits));
}

static void bits_stand_for_the_page_that_is_asked_for(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8];
	struct tracked t;
	uint64_t got[4] = { 0 };

	if (!watch(b, false, &t))
		return;
	memset(bits, 0, sizeof(bits));
	set(bits, 0);
	set(bits, 100);	/* the 50th page of 4 KiB */
	same(written(b, &t, bits), 2);
	same(get(b, &t, PAGE, true, got), 0);
	same(got[0], 1 | 1ULL << 50);
	got[0] = 0;
	same(get(b, &t, 16 * PAGE, true, got), 0);
	same(got[0], 1 | 1ULL << 3);
	/* A part of it: bits are counted from its first address. */
	got[0] = 0;
	same(b->calls->get_dirty(b->fd, t.id, MOCK_FIRST + 48 * PAGE, 8 * PAGE,
				 PAGE, false, got), 0);
	same(got[0], 1 << 2);
	/* Only that was read. */
	got[0] = 0;
	same(get(b, &t, PAGE, false, got), 0);
	same(got[0], 1);
}

static void what_is_kept_is_read_again(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8];
	struct tracked t;

	if (!watch(b, false, &t))
		return;
	memset(bits, 0, sizeof(bits));
	for (size_t i = 0; i < sizeof(bits) * 8; i += 4)
		set(bits, i);
	same(written(b, &t, bits), sizeof(bits) * 2);
	for (int round = 0; round < 4; round++) {
		uint8_t got[sizeof(bits)] = { 0 };

		same(get(b, &t, MOCK_PAGE, round < 2, got), 0);
		for (size_t i = 0; i < sizeof(got); i++)
			same(got[i], round < 3 ? 0x33 : 0);
	}
}

static void a_bitmap_may_begin_anywhere(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8];
	static const size_t offsets[] = { 0, 2048, 0xff1 };
	uint8_t *room = aligned_alloc(PAGE, 3 * PAGE);
	struct tracked t;

	if (!expect(room) || !watch(b, false, &t))
		return;
	memset(bits, 0, sizeof(bits));
	for (size_t i = 0; i < sizeof(bits) * 8; i += 4)
		set(bits, i);
	for (size_t o = 0; o < ARRAY_SIZE(offsets); o++) {
		uint8_t *at = room + offsets[o];

		memset(room, 0, 3 * PAGE);
		same(written(b, &t, bits), sizeof(bits) * 2);
		same(get(b, &t, MOCK_PAGE, false, at), 0);
		for (size_t i = 0; i < sizeof(bits); i++)
			same(at[i], 0x33);
		same(at[sizeof(bits)], 0);
		same(o ? at[-1] : 0, 0);
	}
	free(room);
}

static void a_long_page_is_written_as_a_whole(struct bench *b)
{
	static uint8_t bits[HUGE_LENGTH / MOCK_PAGE / 8], got[sizeof(bits)];
	const size_t n = MOCK_HUGE / MOCK_PAGE;
	struct tracked t;

	if (!watch(b, true, &t))
		return;
	memset(bits, 0, sizeof(bits));
	memset(got, 0, sizeof(got));
	set(bits, 3 * n);
	same(written(b, &t, bits), 1);
	same(get(b, &t, MOCK_PAGE, true, got), 0);
	for (size_t i = 0; i < sizeof(got) * 8; i++)
		if (is_set(got, i) != (i / n == 3)) {
			same(i, -1);
			break;
		}
	memset(got, 0, sizeof(got));
	same(get(b, &t, MOCK_HUGE, false, got), 0);
	same(got[0], 1 << 3);
	got[0] = 0;
	same(get(b, &t, MOCK_HUGE, false, got), 0);
	same(got[0], 0);
}

static void a_read_is_refused_where_its_numbers_do_not_fit(struct bench *b)
{
	struct tracked t;
	uint64_t bits = 0;

	if (!watch(b, false, &t))
		return;
	const struct {
		uint64_t iova, length, page;
		int r;
	} bad[] = {
		{ MOCK_FIRST, 0, PAGE, -EINVAL },
		{ MOCK_FIRST, PAGE, 0, -EINVAL },
		{ MOCK_FIRST + 1, PAGE, PAGE, -EINVAL },
		{ MOCK_FIRST, PAGE + 1, PAGE, -EINVAL },
		{ MOCK_FIRST + PAGE, 2 * PAGE, 2 * PAGE, -EINVAL },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE, PAGE, -EOVERFLOW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		printf("# %zu\n", i);
		same(b->calls->get_dirty(b->fd, t.id, bad[i].iova,
					 bad[i].length, bad[i].page, true,
					 &bits), bad[i].r);
	}
	same(bits, 0);
}

static void a_hole_ends_a_read_without_a_word(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8];
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t got[16] = { 0 }, iova = MOCK_FIRST + LENGTH + PAGE;
	struct tracked t, all;

	if (!watch(b, false, &t))
		return;
	all = t;
	all.length = LENGTH + 2 * PAGE;
	same(ioasid_map(b->fd, b->space, page, PAGE, FIXED, &iova, NULL), 0);
	memset(bits, 0, sizeof(bits));
	set(bits, 0);
	same(written(b, &t, bits), 1);
	/* Behind the hole, too. */
	struct mock_call behind = {
		.op = MOCK_WRITTEN, .id = t.id, .written.iova = iova,
		.written.length = PAGE, .written.page = MOCK_PAGE,
		.written.bits = (uintptr_t)bits,
	};

	same(mock(b, &behind), 0);
	same(get(b, &all, PAGE, true, got), 0);
	same(got[0], 1);
	same(got[LENGTH / PAGE / 64], 0);
	same(b->calls->get_dirty(b->fd, t.id, iova, PAGE, PAGE, true, got + 8),
	     0);
	same(got[8], 1);
	same(b->calls->get_dirty(b->fd, t.id, MOCK_FIRST + LENGTH, PAGE, PAGE,
				 true, got + 9), 0);
	same(got[9], 0);
}

static void bits_that_have_no_room_are_lost(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8];
	struct tracked t;
	uint64_t got[4] = { 0 };

	if (!watch(b, false, &t))
		return;
	memset(bits, 0, sizeof(bits));
	set(bits, 6);
	same(written(b, &t, bits), 1);
	same(get(b, &t, PAGE, false, (void *)PAGE), 0);
	same(get(b, &t, PAGE, false, got), 0);
	same(got[0], 0);
}

static void tracking_begins_with_nothing_written(struct bench *b)
{
	static uint8_t bits[LENGTH / MOCK_PAGE / 8];
	struct tracked t;
	uint64_t got[8] = { 0 };

	if (!watch(b, false, &t))
		return;
	memset(bits, 0, sizeof(bits));
	set(bits, 8);
	same(written(b, &t, bits), 1);
	same(b->calls->set_dirty(b->fd, t.id, false), 0);
	same(written(b, &t, bits), -EINVAL);
	same(b->calls->set_dirty(b->fd, t.id, true), 0);
	same(get(b, &t, MOCK_PAGE, false, got), 0);
	same(got[0], 0);
}

#define LIST(X) \
	X(tracking_is_of_page_tables_made_for_it) \
	X(a_device_that_cannot_is_not_on_a_tracked_table) \
	X(one_page_is_read_once) \
	X(bits_stand_for_the_page_that_is_asked_for) \
	X(what_is_kept_is_read_again) \
	X(a_bitmap_may_begin_anywhere) \
	X(a_long_page_is_written_as_a_whole) \
	X(a_read_is_refused_where_its_numbers_do_not_fit) \
	X(a_hole_ends_a_read_without_a_word) \
	X(bits_that_have_no_room_are_lost) \
	X(tracking_begins_with_nothing_written)

CASES(LIST)
