/* SPDX-License-Identifier: Apache-2.0
 *
 * test-mapped.c - what is mapped for a guarded lease: entered, found, taken out;
 * and mapped by a kernel that refuses the nth piece
 *
 * The kernel is one of four calls. Memory of many pieces is not needed: a piece
 * is what MAP_PIECE says, and map.c is compiled here with a smaller one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE UINT64_C(4096)

/* Our own of what map.c works with, in the place of the daemon's. */
#define context_map fake_map
#define context_unmap fake_unmap
#define guarded_begin fake_begin
#define guarded_done fake_done
#define guarded_over fake_over
#define memory_look fake_look
#define memory_check fake_check
#define store_write fake_write
#define memory_map tested_map
#define memory_unmap tested_unmap
#define outcome_refuse tested_refuse
#include "ops/guarded.h"
#undef MAP_PIECE
#define MAP_PIECE (4 * PAGE)
#include "ops/map.c"

static struct host nowhere; /* has a registry, for charges */

#define SPACE "spaces/01arz3ndektsv4rrffq69g5fav"

/**
 * struct world - What the fakes are told and have seen
 * @lease:	The lease
 * @fail_at:	Which call to map is refused, from 1 on; 0 for none
 * @over_at:	Before which the lease is over; likewise
 * @maps:	Calls to map
 * @mapped:	Bytes that the kernel has
 * @unmapped:	Calls to unmap
 * @keep:	The kernel does not unmap
 * @rows:	Rows there are: put less dropped
 * @writes:	Commits
 * @no_store:	Nothing can be written
 */
static struct world {
	struct lease *lease;
	unsigned int fail_at, over_at, maps, unmapped, writes;
	uint64_t mapped;
	bool keep, no_store;
	int rows;
} world;

int fake_map(struct host *host, const struct lease *lease,
	     const struct space *space, int fd, const struct mapping *mapping,
	     struct error *err)
{
	assert_in_range(mapping->length, PAGE, MAP_PIECE);
	assert_true(world.rows > 0);
	if (++world.maps == world.fail_at)
		return error_set(err, -ENOMEM, ERROR_KERNEL_IOMMUFD, "full");
	world.mapped += mapping->length;
	return 0;
}

int fake_unmap(struct host *host, const struct lease *lease,
	       const struct space *space, uint64_t start, uint64_t last,
	       struct error *err)
{
	world.unmapped++;
	if (world.keep)
		return error_set(err, -EBUSY, ERROR_KERNEL_IOMMUFD, "busy");
	/* What there is of it. */
	world.mapped -= last - start < world.mapped ? last - start + 1 :
						      world.mapped;
	return 0;
}

int fake_begin(struct host *host, const struct caller *caller,
	       const char *name, struct lease **ret, struct error *err)
{
	*ret = world.lease;
	return 0;
}

void fake_done(struct lease *lease)
{
	assert_ptr_equal(lease, world.lease);
}

bool fake_over(const struct lease *lease, const struct caller *caller)
{
	return world.over_at && world.maps + 1 >= world.over_at;
}

void fake_look(int fd, struct mapped *mapped, struct looked *ret)
{
	*ret = (struct looked){ .fd = fd, .memory.inode = 7 };
}

int fake_check(const struct looked *looked, const struct mapping *mapping,
	       struct error *err)
{
	return 0;
}

int fake_write(struct store *store, store_fn fn, void *data,
	       struct error *err)
{
	const struct mapping_job *job = data;

	world.writes++;
	if (world.no_store)
		return error_set(err, -EIO, ERROR_DAEMON_READ_ONLY, "broken");
	if (fn == drop_ranges) {
		world.rows = 0;
		return 0;
	}
	for (size_t i = 0; i < job->n; i++)
		if (job->pending[i])
			world.rows += fn == put_all ? 1 : -1;
	return 0;
}

/* setup() - A lease with one space that promises 1 MiB. */
static int setup(void **state)
{
	struct space space = SPACE_NULL;

	assert_int_equal(registry_new("boot", &nowhere.registry), 0);
	world = (struct world){ .lease = lease_new() };
	assert_non_null(world.lease);
	world.lease->mode = LEASE_GUARDED;
	world.lease->memlock = 64 * PAGE;
	world.lease->mapped = mapped_new();
	str_copy(space.name, sizeof(space.name), SPACE);
	space.alignment = PAGE;
	space.windows = calloc(1, sizeof(*space.windows));
	space.windows[0] = (struct window){ .start = 0,
					    .last = 256 * PAGE - 1 };
	space.n_windows = 1;
	assert_int_equal(lease_add_space(world.lease, &space), 0);
	return 0;
}

static int teardown(void **state)
{
	lease_free(world.lease);
	nowhere.registry = registry_free(nowhere.registry);
	return 0;
}

/* map() - Map pages. Return: the error's id; "ok". */
static const char *map(uint64_t page, uint64_t pages)
{
	struct map_wish wish = { .space = SPACE, .mapping = {
		.iova = page * PAGE, .length = pages * PAGE } };
	struct outcome outcome = { 0 };
	static enum error_id kind;
	struct error err = ERROR_NULL;
	uint32_t result = 0;
	int fd = 0, r;

	outcome.results = &result;
	r = tested_map(&nowhere, NULL, "", &fd, 1, &wish, 1, &outcome, &err);
	kind = r < 0 ? err.kind :
	       result ? outcome.refusals[result - 1].kind : ERROR_NONE;
	free(outcome.refusals);
	return kind ? error_kind(kind)->id : "ok";
}

/* unmap() - Unmap pages. Return: likewise. */
static const char *unmap(uint64_t iova, uint64_t length)
{
	struct unmap_wish wish = { SPACE, iova, length };
	struct outcome outcome = { 0 };
	struct error err = ERROR_NULL;
	enum error_id kind;
	uint32_t result = 0;
	int r;

	outcome.results = &result;
	r = tested_unmap(&nowhere, NULL, "", &wish, 1, &outcome, &err);
	kind = r < 0 ? err.kind :
	       result ? outcome.refusals[result - 1].kind : ERROR_NONE;
	free(outcome.refusals);
	return kind ? error_kind(kind)->id : "ok";
}

/* check() - Do the picture, the rows and the kernel agree? */
static void check(size_t n, uint64_t pages)
{
	uint64_t bytes;
	size_t count;

	mapped_count(world.lease->mapped, SPACE, &count, &bytes);
	assert_int_equal(count, n);
	assert_int_equal(bytes, pages * PAGE);
	assert_int_equal(world.mapped, pages * PAGE);
	assert_int_equal(world.rows, n);
}

static void large_ones_are_made_in_pieces(void **state)
{
	assert_string_equal(map(0, 10), "ok");
	assert_int_equal(world.maps, 3);
	assert_int_equal(world.writes, 1);
	check(1, 10);
	assert_string_equal(unmap(0, 10 * PAGE), "ok");
	assert_int_equal(world.unmapped, 1);
	check(0, 0);
}

static void a_piece_that_fails_takes_those_before_it_along(void **state)
{
	for (world.fail_at = 1; world.fail_at <= 3; world.fail_at++) {
		world.maps = world.unmapped = 0;
		assert_string_equal(map(0, 10), "kernel.iommufd");
		assert_int_equal(world.unmapped, 1);
		check(0, 0);
	}
	world.maps = 0;
	assert_string_equal(map(0, 10), "ok");
	check(1, 10);
}

static void what_cannot_be_unmapped_is_not_forgotten(void **state)
{
	world.fail_at = 2;
	world.keep = true;
	assert_string_equal(map(0, 10), "kernel.iommufd");
	assert_int_equal(world.rows, 1);
	assert_string_equal(map(2, 1), "memory.overlap");
	world.keep = false;
	world.mapped = 10 * PAGE; /* as far as anybody knows */
	assert_string_equal(unmap(0, UINT64_MAX), "ok");
	check(0, 0);
}

static void nothing_goes_on_once_the_lease_is_over(void **state)
{
	world.over_at = 2;
	assert_string_equal(map(0, 10), "lease.state");
	check(0, 0);
}

static void nothing_is_mapped_that_cannot_be_written_down(void **state)
{
	world.no_store = true;
	assert_string_equal(map(0, 10), "daemon.read-only");
	assert_int_equal(world.maps, 0);
	check(0, 0);
}

static void the_limit_is_of_all_spaces(void **state)
{
	assert_string_equal(map(0, 65), "limit.pinned");
	assert_string_equal(map(0, 60), "ok");
	assert_string_equal(map(100, 5), "limit.pinned");
	assert_string_equal(map(100, 4), "ok");
	assert_string_equal(unmap(0, 60 * PAGE), "ok");
	assert_string_equal(map(0, 60), "ok");
}

static void neighbours_do_not_overlap(void **state)
{
	struct mapping found;

	assert_string_equal(map(10, 2), "ok");
	assert_string_equal(map(8, 2), "ok");
	assert_string_equal(map(12, 1), "ok");
	assert_string_equal(map(7, 2), "memory.overlap");
	assert_string_equal(map(11, 5), "memory.overlap");
	assert_string_equal(map(0, 50), "memory.overlap");
	assert_true(mapped_next(world.lease->mapped, SPACE, 0, &found));
	assert_int_equal(found.iova, 8 * PAGE);
	assert_true(mapped_next(world.lease->mapped, SPACE, 12 * PAGE,
				&found));
	assert_int_equal(found.iova, 12 * PAGE);
	assert_false(mapped_next(world.lease->mapped, SPACE, 13 * PAGE,
				 &found));
	assert_string_equal(unmap(8 * PAGE, 3 * PAGE), "memory.boundary");
	assert_string_equal(unmap(9 * PAGE, 3 * PAGE), "memory.boundary");
	assert_string_equal(unmap(0, 12 * PAGE), "ok");
}

/* Against a plain array of pages. */
static void random_changes_are_what_an_array_says(void **state)
{
	unsigned char pages[64] = { 0 };	/* the mapping's first page + 1 */

	world.lease->memlock = 1024 * PAGE;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		size_t first = (size_t)random() % 60, n = 1, at;
		bool taken = false;

		n += (size_t)random() % 4;
		for (at = first; at < first + n; at++)
			taken |= pages[at] != 0;
		if (random() % 2) {
			assert_string_equal(map(first, n), taken ?
					    "memory.overlap" : "ok");
			for (at = first; !taken && at < first + n; at++)
				pages[at] = (unsigned char)(first + 1);
		} else if (pages[first]) {
			size_t begin = pages[first] - 1u;

			mapped_remove(world.lease->mapped, SPACE,
				      begin * PAGE);
			for (at = begin; at < 64 && pages[at] == begin + 1;
			     at++)
				pages[at] = 0;
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(large_ones_are_made_in_pieces),
		TEST(a_piece_that_fails_takes_those_before_it_along),
		TEST(what_cannot_be_unmapped_is_not_forgotten),
		TEST(nothing_goes_on_once_the_lease_is_over),
		TEST(nothing_is_mapped_that_cannot_be_written_down),
		TEST(the_limit_is_of_all_spaces),
		TEST(neighbours_do_not_overlap),
		TEST(random_changes_are_what_an_array_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
