/* SPDX-License-Identifier: Apache-2.0
 *
 * test-window-random.c - windows on small machines at random, against a planner
 *			  that looks at every page
 *
 * The pages lie around 4 GiB, so that windows below it are among them. What
 * differs is repeated with IOASID_SEED.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/str.h"
#include "model/window.h"

#define ROUNDS 60000
#define PAGE UINT64_C(4096)
#define PAGES 64
#define BASE ((UINT64_C(1) << 32) - PAGES / 2 * PAGE)
#define DEVICES 3
#define WISHES 5

/**
 * struct page - What the slow planner knows of one page
 * @usable:	All devices can use it
 * @inside:	All devices have it, reserved or not
 * @closed:	It is in a wish's range, given or cut out
 * @taken:	Which wish has it; -1 for none
 */
struct page {
	bool usable, inside, closed;
	int taken;
};

/**
 * struct round - One machine, and what is asked of it
 */
struct round {
	unsigned int seed;
	struct capabilities caps[DEVICES];
	struct kernel_reserved reserved[DEVICES][2];
	struct window_device devices[DEVICES];
	size_t n_devices;
	struct window_wish wishes[WISHES];
	size_t n_wishes;
	uint64_t alignment;
	struct page pages[PAGES];
};

static unsigned int below(struct round *round, unsigned int limit)
{
	return (unsigned int)rand_r(&round->seed) % limit;
}

/* --- a machine at random --- */

/**
 * add_range() - Let a device use pages
 */
static void add_range(struct capabilities *caps, size_t first, size_t last)
{
	caps->ranges[caps->n_ranges++] = (struct kernel_range){
		BASE + first * PAGE, BASE + (last + 1) * PAGE - 1 };
}

/**
 * make_device() - Some ranges, and what is reserved at the ends of them
 * @i:		Which
 *
 * Pages of the round are marked, by what was drawn, not by what comes of it.
 */
static void make_device(struct round *round, size_t i)
{
	struct capabilities *caps = &round->caps[i];
	size_t first = below(round, 8), end = PAGES - 1 - below(round, 16);
	size_t at = first;
	size_t edge = below(round, 3) ? 0 : below(round, 4);
	bool used[PAGES] = { false };

	while (at <= end) {
		size_t last = at + below(round, 24);

		if (last > end)
			last = end;
		add_range(caps, at, last);
		for (size_t p = at; p <= last; p++)
			used[p] = true;
		end = caps->n_ranges == 8 ? last : end;
		at = last + 2 + below(round, 6);
		if (at > end)
			end = last;
	}
	if (end + edge > PAGES - 1)
		edge = PAGES - 1 - end;
	caps->alignment = PAGE << (below(round, 5) == 0);
	round->reserved[i][0] = (struct kernel_reserved){
		BASE, BASE + PAGES * PAGE - 1, "direct-relaxable" };
	round->reserved[i][1] = (struct kernel_reserved){
		BASE + (end + 1) * PAGE, BASE + (end + 1 + edge) * PAGE - 1,
		"msi" };
	round->devices[i] = (struct window_device){
		"devices/x", caps, round->reserved[i], edge ? 2 : 1,
		NULL };
	for (size_t p = 0; p < PAGES; p++) {
		round->pages[p].usable &= used[p];
		round->pages[p].inside &= p >= first && p <= end + edge;
	}
	if (round->alignment < caps->alignment)
		round->alignment = caps->alignment;
}

/**
 * unit_of() - How many pages a window of a wish is a multiple of
 */
static size_t unit_of(const struct round *round, const struct window_wish *wish)
{
	uint64_t unit = round->alignment;

	for (uint64_t size = PAGE; size && size <= wish->page_sizes; size <<= 1)
		if ((wish->page_sizes & size) && size > unit)
			unit = size;
	return unit / PAGE;
}

/**
 * make_wish() - A wish that can be by itself
 * @i:		Which
 */
static void make_wish(struct round *round, size_t i)
{
	struct window_wish *wish = &round->wishes[i];
	size_t unit, units;

	wish->page_sizes = below(round, 2) ? 0 :
			   round->alignment << below(round, 3);
	unit = unit_of(round, wish);
	units = PAGES / unit;
	wish->size = (1 + below(round, (unsigned int)(units + 3) / 4)) * unit *
		     PAGE;
	wish->around = below(round, 3) == 0;
	wish->fixed = below(round, 2);
	if (wish->fixed)
		wish->start = BASE + below(round, (unsigned int)units) * unit *
				     PAGE;
	wish->purpose = below(round, WINDOW_PURPOSE_COUNT);
	if (wish->fixed && wish->purpose == WINDOW_DMA32 &&
	    wish->start + wish->size - 1 > UINT32_MAX)
		wish->purpose = WINDOW_RAM;
}

/**
 * make_round() - A machine and wishes
 */
static void make_round(struct round *round, unsigned int seed)
{
	memset(round, 0, sizeof(*round));
	round->seed = seed;
	round->alignment = PAGE;
	for (size_t p = 0; p < PAGES; p++)
		round->pages[p] = (struct page){ true, true, false, -1 };
	round->n_devices = 1 + below(round, DEVICES);
	for (size_t i = 0; i < round->n_devices; i++)
		make_device(round, i);
	round->n_wishes = 1 + below(round, WISHES);
	for (size_t i = 0; i < round->n_wishes; i++)
		make_wish(round, i);
}

/* --- the slow planner --- */

/**
 * is_free() - Can all of some pages be used?
 */
static bool is_free(const struct round *round, size_t first, size_t n)
{
	for (size_t p = first; p < first + n; p++)
		if (p >= PAGES || !round->pages[p].usable ||
		    round->pages[p].closed)
			return false;
	return true;
}

/**
 * fits() - Can a wish be at a page?
 *
 * With @around something must be left at all; at the beginning, if it may be
 * anywhere.
 */
static bool fits(const struct round *round, const struct window_wish *wish,
		 size_t first)
{
	size_t n = wish->size / PAGE, unit = unit_of(round, wish);
	bool left = false;

	if (wish->purpose == WINDOW_DMA32 && first + n > PAGES / 2)
		return false;
	if (!wish->around)
		return is_free(round, first, n);
	for (size_t p = first; p < first + n; p++)
		if (p >= PAGES || !round->pages[p].inside ||
		    round->pages[p].taken >= 0)
			return false;
	for (size_t p = first; p < first + n; p += unit)
		left |= is_free(round, p, unit);
	return wish->fixed ? left : is_free(round, first, unit);
}

/**
 * take() - Give a wish its pages
 */
static void take(struct round *round, size_t i, size_t first)
{
	const struct window_wish *wish = &round->wishes[i];
	size_t unit = unit_of(round, wish), end = first + wish->size / PAGE;

	for (size_t p = first; p < end; p += unit)
		if (is_free(round, p, unit))
			for (size_t q = p; q < p + unit; q++)
				round->pages[q].taken = (int)i;
	for (size_t p = first; p < end && p < PAGES; p++)
		round->pages[p].closed = true;
}

/**
 * place_slowly() - Place a wish at the first page where it fits
 *
 * Return: true if there is one.
 */
static bool place_slowly(struct round *round, size_t i)
{
	const struct window_wish *wish = &round->wishes[i];
	size_t unit = unit_of(round, wish);

	for (size_t p = 0; p < PAGES; p += unit) {
		if (wish->fixed && wish->start != BASE + p * PAGE)
			continue;
		if (!fits(round, wish, p))
			continue;
		take(round, i, p);
		return true;
	}
	return false;
}

/* overlap() - Do any two wishes that have a start overlap? */
static bool overlap(const struct round *round)
{
	for (size_t i = 0; i < round->n_wishes; i++)
		for (size_t j = 0; j < i; j++) {
			const struct window_wish *a = &round->wishes[i];
			const struct window_wish *b = &round->wishes[j];

			if (a->fixed && b->fixed &&
			    a->start < b->start + b->size &&
			    b->start < a->start + a->size)
				return true;
		}
	return false;
}

/**
 * plan_slowly() - What the planner must answer
 * @ret:	Which wish has no place, on -EADDRINUSE
 *
 * Return: 0 with pages taken; -EINVAL; -EADDRINUSE.
 */
static int plan_slowly(struct round *round, size_t *ret)
{
	if (overlap(round))
		return -EINVAL;
	for (int turn = 0; turn < 3; turn++)
		for (*ret = 0; *ret < round->n_wishes; (*ret)++) {
			const struct window_wish *wish = &round->wishes[*ret];
			int own = wish->fixed ? 0 :
				  wish->purpose == WINDOW_DMA32 ? 1 : 2;

			if (own == turn && !place_slowly(round, *ret))
				return -EADDRINUSE;
		}
	return 0;
}

/* --- compared --- */

/**
 * check_windows() - Are the windows what the slow planner has taken?
 */
static void check_windows(const struct round *round,
			  const struct window *windows, size_t n)
{
	size_t taken = 0, given = 0;

	for (size_t p = 0; p < PAGES; p++)
		taken += round->pages[p].taken >= 0;
	for (size_t i = 0; i < n; i++) {
		size_t first = (windows[i].start - BASE) / PAGE;
		size_t end = (windows[i].last + 1 - BASE) / PAGE;
		const struct window_wish *wish;

		assert_true(windows[i].start >= BASE && end <= PAGES);
		assert_true(windows[i].start < windows[i].last);
		assert_true(i == 0 ||
			    windows[i - 1].last < windows[i].start);
		assert_true(round->pages[first].taken >= 0);
		wish = &round->wishes[round->pages[first].taken];
		for (size_t p = first; p < end; p++) {
			assert_true(round->pages[p].usable);
			assert_int_equal(round->pages[p].taken,
					 round->pages[first].taken);
		}
		assert_int_equal(first % unit_of(round, wish), 0);
		assert_int_equal(end % unit_of(round, wish), 0);
		assert_int_equal(windows[i].purpose, wish->purpose);
		given += end - first;
	}
	assert_int_equal(given, taken);
}

/**
 * check_remedy() - Does what is said to fit fit?
 * @i:		The wish that was refused, which has a start
 *
 * With all others that have one, and none that has not.
 *
 * Return: true if a place was told.
 */
static bool check_remedy(const struct round *round, size_t i,
			 const struct error *err)
{
	struct window_wish wishes[WISHES];
	struct window *windows = NULL;
	struct error again = ERROR_NULL;
	char self[16];
	size_t n = 0, own = 0;
	uint64_t start;
	int r;

	if (sscanf(err->remedy, "it fits at 0x%" SCNx64, &start) != 1)
		return false;
	for (size_t j = 0; j < round->n_wishes; j++) {
		if (!round->wishes[j].fixed)
			continue;
		wishes[n] = round->wishes[j];
		if (j == i) {
			wishes[n].start = start;
			own = n;
		}
		n++;
	}
	r = window_plan(round->devices, round->n_devices, wishes, n, &windows,
			&n, &again);
	free(windows);
	(void)str_format(self, sizeof(self), "window %zu:", own + 1);
	assert_int_not_equal(r, -EINVAL);
	assert_null(r < 0 ? str_starts(again.msg, self) : NULL);
	return true;
}

/**
 * check_longest() - Is what is said to be the longest piece that, and is it
 *		     there?
 * @i:		The wish that was refused, the only one
 *
 * Return: true if one was told.
 */
static bool check_longest(const struct round *round, const struct error *err)
{
	struct window_wish wish = round->wishes[0];
	struct window *windows = NULL;
	uint64_t size, start;
	size_t n;

	if (sscanf(err->remedy,
		   "no more than 0x%" SCNx64 " bytes fit in one piece, at 0x%" SCNx64,
		   &size, &start) != 2)
		return false;
	wish.around = false;
	wish.fixed = true;
	wish.size = size;
	wish.start = start;
	assert_int_equal(window_plan(round->devices, round->n_devices, &wish,
				     1, &windows, &n, NULL), 0);
	free(windows);
	wish.fixed = false;
	wish.size += unit_of(round, &wish) * PAGE;
	assert_int_equal(window_plan(round->devices, round->n_devices, &wish,
				     1, &windows, &n, NULL), -EADDRINUSE);
	return true;
}

/**
 * check_refusal() - Is the wish named, with a reason, and what would fit?
 * @i:		The wish
 * @told:	Counts what was said
 */
static void check_refusal(const struct round *round, size_t i,
			  const struct error *err, size_t told[2])
{
	char self[16];

	(void)str_format(self, sizeof(self), "window %zu:", i + 1);
	assert_non_null(str_starts(err->msg, self));
	assert_int_equal(err->kind, ERROR_WINDOW_UNAVAILABLE);
	assert_true(err->n_causes > 0);
	assert_true(*err->remedy);
	if (round->wishes[i].fixed)
		told[0] += check_remedy(round, i, err);
	if (round->n_wishes == 1)
		told[1] += check_longest(round, err);
}

/* The seed of the round that is running; 0: none is. */
static unsigned int running;

/* end() - Say which round has failed */
static int end(void **state)
{
	if (running)
		print_message("again with IOASID_SEED=%u\n", running);
	return 0;
}

static void planner_agrees_with_one_that_looks_at_every_page(void **state)
{
	const char *given = getenv("IOASID_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) :
				    (unsigned int)time(NULL) * ROUNDS;
	size_t placed = 0, invalid = 0, refused = 0, told[2] = { 0, 0 };
	static struct round round;

	for (unsigned int i = 0; i < (given ? 1 : ROUNDS); i++) {
		struct window *windows = NULL;
		struct error err = ERROR_NULL;
		size_t n, which = 0;
		int wanted, r;

		running = seed + i;
		make_round(&round, running);
		wanted = plan_slowly(&round, &which);
		r = window_plan(round.devices, round.n_devices, round.wishes,
				round.n_wishes, &windows, &n, &err);
		if (r != wanted)
			fail_msg("%d, not %d: %s", r, wanted, err.msg);
		if (r == 0)
			check_windows(&round, windows, n);
		else if (r == -EADDRINUSE)
			check_refusal(&round, which, &err, told);
		placed += r == 0;
		invalid += r == -EINVAL;
		refused += r == -EADDRINUSE;
		free(windows);
	}
	print_message("seed %u: %zu placed, %zu refused, %zu told where and %zu how long, %zu invalid\n",
		      seed, placed, refused, told[0], told[1], invalid);
	if (!given)
		assert_true(placed > ROUNDS / 10 && refused > ROUNDS / 10 &&
			    told[0] > ROUNDS / 50 && told[1] > ROUNDS / 100);
	running = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			planner_agrees_with_one_that_looks_at_every_page, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
