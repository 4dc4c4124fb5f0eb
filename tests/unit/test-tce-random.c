/* SPDX-License-Identifier: Apache-2.0
 *
 * test-tce-random.c - plans of SPAPR TCE windows at random, carried out on a slow
 *		       picture of kernel and firmware, and held against all that can
 *		       be done there
 *
 * The picture does what was read in the kernel and seen on QEMU's pseries; it
 * knows nothing of the planner. A plan must be carried out without a refusal and
 * leave what was wished. What is refused must be out of reach of every order of
 * calls. What differs is repeated with IOASID_SEED.
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
#include "model/tce.h"

#define ROUNDS 60000
#define G (UINT64_C(1) << 30)
#define SLOTS 2
#define FIRMWARE_BASE UINT64_C(0x800000000000000)

/* --- kernel and firmware --- */

/**
 * struct slot - A window as the container has it
 */
struct slot {
	bool there, dynamic;
	uint64_t start, size;
	uint32_t shift;
};

/**
 * struct machine - A container with one group
 * @pending:	The default window is there, and was not made yet
 * @lost:	The firmware has refused something
 */
struct machine {
	const struct kernel_tce_info *info;
	struct slot slots[SLOTS];
	bool pending, lost;
};

static struct machine machine_new(const struct kernel_tce_info *info)
{
	return (struct machine){ .info = info, .pending = true };
}

static bool has_dynamic(const struct machine *m)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (m->slots[i].there && m->slots[i].dynamic)
			return true;
	return false;
}

/* put() - Make a window in the first free slot. Return: 0 or -errno. */
static int put(struct machine *m, uint32_t shift, uint64_t size,
	       uint32_t levels)
{
	size_t n = 0, others = 0;

	while (n < SLOTS && m->slots[n].there)
		n++;
	if (n == SLOTS)
		return -ENOSPC;
	if (shift >= 64 || !(m->info->page_sizes >> shift & 1 || shift == 12) ||
	    !size || size & (size - 1) || levels < 1 ||
	    (levels > 1 && levels > m->info->levels) || !(size >> shift))
		return -EINVAL;
	if (m->lost)
		return -ENODEV;
	if (n == 0 && shift == 12 && size <= m->info->dma32_size) {
		if (has_dynamic(m))
			return -EPERM;
		m->slots[0] = (struct slot){ true, false,
					     m->info->dma32_start, size, 12 };
		return 0;
	}
	if (n == 0 && has_dynamic(m))
		return -EPERM;
	for (size_t i = 0; i < SLOTS; i++)
		others += m->slots[i].there;
	/* The firmware. */
	if (m->info->max_windows > 2 || !m->info->page_sizes ||
	    has_dynamic(m) || others >= m->info->max_windows ||
	    !(m->info->page_sizes >> shift & 1)) {
		m->lost = true;
		return -ENODEV;
	}
	if (size > FIRMWARE_BASE)
		return -EINVAL;
	m->slots[n] = (struct slot){ true, true, FIRMWARE_BASE, size, shift };
	return 0;
}

static int create(struct machine *m, uint32_t shift, uint64_t size,
		  uint32_t levels)
{
	int r;

	if (m->pending) {
		r = put(m, 12, m->info->dma32_size, 1);
		if (r < 0)
			return r;
		m->pending = false;
	}
	return put(m, shift, size, levels);
}

/* remove_default() - Before anything was made. Return: 0 or -errno. */
static int remove_default(struct machine *m)
{
	if (!m->pending)
		return -EINVAL;
	m->pending = false;
	return 0;
}

/* settle() - The first mapping makes the default window, if it can be */
static void settle(struct machine *m)
{
	if (m->pending && put(m, 12, m->info->dma32_size, 1) == 0)
		m->pending = false;
}

/* --- what was wished --- */

static bool serves(const struct slot *slot, const struct window_wish *wish)
{
	uint64_t start = wish->fixed ? wish->start : slot->start;

	if (!slot->there || start < slot->start ||
	    wish->size > slot->size ||
	    start - slot->start > slot->size - wish->size)
		return false;
	/* A dynamic window is for its wish alone, and no longer. */
	if (slot->dynamic && (start != slot->start || wish->size != slot->size))
		return false;
	if (wish->page_sizes && (wish->page_sizes & -wish->page_sizes) !=
					UINT64_C(1) << slot->shift)
		return false;
	return wish->purpose != WINDOW_DMA32 ||
	       start + wish->size - 1 <= UINT32_MAX;
}

/* all_served() - Has each wish a window of its own? */
static bool all_served(const struct machine *m,
		       const struct window_wish *wishes, size_t n)
{
	const struct slot *s = m->slots;

	if (n == 0)
		return true;
	if (n == 1)
		return serves(&s[0], wishes) || serves(&s[1], wishes);
	return n == 2 && ((serves(&s[0], &wishes[0]) &&
			   serves(&s[1], &wishes[1])) ||
			  (serves(&s[1], &wishes[0]) &&
			   serves(&s[0], &wishes[1])));
}

/* --- all that can be done --- */

/* reach() - Can some order of calls serve the wishes? @left: calls yet to make */
static bool reach(const struct machine *m, const struct window_wish *wishes,
		  size_t n, int left)
{
	struct machine next = *m;

	settle(&next);
	if (all_served(&next, wishes, n))
		return true;
	if (!left || m->lost)
		return false;
	next = *m;
	if (remove_default(&next) == 0 && reach(&next, wishes, n, left - 1))
		return true;
	for (size_t i = 0; i < n; i++)
		for (uint32_t shift = 12; shift < 35; shift++) {
			next = *m;
			if (create(&next, shift, wishes[i].size, 1) == 0 &&
			    reach(&next, wishes, n, left - 1))
				return true;
		}
	return false;
}

/* --- at random --- */

static unsigned int seed;

static unsigned int below(unsigned int limit)
{
	return (unsigned int)rand_r(&seed) % limit;
}

static struct kernel_tce_info some_machine(void)
{
	static const uint64_t pages[] = { 0x1000, 0x11000, 0x1211000,
					  0x40211000, 0x10000, 0 };
	static const uint32_t windows[] = { 2, 2, 2, 2, 1, UINT32_MAX };

	return (struct kernel_tce_info){
		.dma32_start = below(8) ? 0 : G,
		.dma32_size = below(10) ? UINT64_C(1) << (28 + below(4)) : 0,
		.page_sizes = pages[below(ARRAY_SIZE(pages))],
		.max_windows = windows[below(ARRAY_SIZE(windows))],
		.levels = below(2) ? 1 : 5,
		.kernel_page = below(2) ? 4096 : 65536,
	};
}

static struct window_wish some_wish(const struct kernel_tce_info *info)
{
	static const uint64_t starts[] = { 0, 0, 0x1000, 0x10000, G,
					   FIRMWARE_BASE };
	static const uint32_t shifts[] = { 12, 12, 16, 16, 21, 24, 30 };
	struct window_wish wish = {
		.size = (UINT64_C(1) << (27 + below(12))) *
			(below(6) ? 1 : 3),
		.fixed = below(3) == 0,
		.page_sizes = below(4) ? UINT64_C(1)
						 << shifts[below(7)] : 0,
		.purpose = below(4) ? WINDOW_ANY : WINDOW_DMA32,
	};

	if (below(3) == 0)
		wish.page_sizes |= UINT64_C(1) << shifts[below(7)];
	if (below(4) == 0)
		wish.size = info->dma32_size;
	if (wish.fixed)
		wish.start = starts[below(ARRAY_SIZE(starts))];
	return wish;
}

static void carry_out(const struct tce_plan *plan, struct machine *m)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct tce_step *step = &plan->steps[i];
		int r = 0;

		switch (step->kind) {
		case TCE_KEEP_DEFAULT:
			break;
		case TCE_REMOVE_DEFAULT:
			r = remove_default(m);
			break;
		case TCE_CREATE:
			r = create(m, step->page_shift, step->size,
				   step->levels);
			break;
		case TCE_STEP_KIND_COUNT:
			fail();
		}
		if (r < 0)
			fail_msg("step %zu: %d", i, r);
	}
	settle(m);
	assert_false(m->lost);
}

/* check_windows() - What the plan says of the windows is so */
static void check_windows(const struct tce_plan *plan, const struct machine *m,
			  size_t n)
{
	assert_int_equal(plan->n_windows, n);
	for (size_t i = 0; i < n; i++) {
		const struct tce_window *w = &plan->windows[i];
		bool found = false;

		for (size_t j = 0; j < SLOTS; j++) {
			const struct slot *s = &m->slots[j];

			found |= s->there && w->start >= s->start &&
				 w->start + w->size <= s->start + s->size &&
				 w->page_shift == s->shift &&
				 w->dynamic == s->dynamic;
		}
		if (!found)
			fail_msg("window %zu is not at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, shift %u; there is 0x%" PRIx64 "+0x%" PRIx64 " shift %u",
				 i, w->start, w->size, w->page_shift,
				 m->slots[0].start, m->slots[0].size,
				 m->slots[0].shift);
		assert_true(i == 0 ||
			    plan->windows[i - 1].start + plan->windows[i - 1].size
				    <= w->start);
	}
}

static void plans_are_carried_out_and_refusals_are_right(void **state)
{
	const char *given = getenv("IOASID_SEED");
	unsigned int first = given ? (unsigned int)strtoul(given, NULL, 0) :
				     (unsigned int)time(NULL);
	size_t good = 0, bad = 0, invalid = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct kernel_tce_info info;
		struct window_wish wishes[2];
		struct error err = ERROR_NULL;
		struct tce_plan plan;
		struct machine m;
		size_t n;

		seed = first * 2654435761u + round;
		info = some_machine();
		n = below(3);
		for (size_t i = 0; i < n; i++)
			wishes[i] = some_wish(&info);
		m = machine_new(&info);
		if (tce_plan("devices/x", &info, wishes, n, &plan, &err) == 0) {
			good++;
			carry_out(&plan, &m);
			check_windows(&plan, &m, n);
			if (!all_served(&m, wishes, n))
				fail_msg("IOASID_SEED=%u, round %u: not what was wished",
					 first, round);
		} else if (err.kind == ERROR_WINDOW_INVALID) {
			invalid++;
		} else {
			bad++;
			assert_int_equal(err.kind, ERROR_WINDOW_UNAVAILABLE);
			assert_true(err.n_causes > 0 && err.remedy[0]);
			if (reach(&m, wishes, n, 3))
				fail_msg("IOASID_SEED=%u, round %u: could be had: %s",
					 first, round, err.msg);
		}
	}
	print_message("seed %u: %zu planned, %zu refused, %zu invalid\n",
		      first, good, bad, invalid);
	assert_true(good > ROUNDS / 10 && bad > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_carried_out_and_refusals_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
