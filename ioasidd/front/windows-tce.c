/* SPDX-License-Identifier: Apache-2.0
 *
 * windows-tce.c - windows that the platform makes (POWER), planned
 */
#include <assert.h>

#include "base/str.h"
#include "front/windows.h"
#include "model/tce.h"

/* The contract's number of each kind. */
static const Ioasid__V1__TceStepKind kinds[] = {
	[TCE_KEEP_DEFAULT] = IOASID__V1__TCE_STEP_KIND__TCE_KEEP_DEFAULT,
	[TCE_REMOVE_DEFAULT] = IOASID__V1__TCE_STEP_KIND__TCE_REMOVE_DEFAULT,
	[TCE_CREATE] = IOASID__V1__TCE_STEP_KIND__TCE_CREATE,
};
static_assert(ARRAY_SIZE(kinds) == TCE_STEP_KIND_COUNT,
	      "each kind has a number in the contract");

/* view_plan_steps() - What the holder has to do. Fewer if arena_ok() says so. */
static void view_plan_steps(struct arena *arena, const struct tce_plan *plan,
			    pb_plan_response *reply)
{
	Ioasid__V1__TceStep **steps =
		arena_alloc(arena, plan->n_steps * sizeof(*steps));

	reply->tce_steps = steps;
	for (size_t i = 0; steps && i < plan->n_steps; i++) {
		const struct tce_step *step = &plan->steps[i];
		Ioasid__V1__TceStep *ret = arena_message(arena, PB(tce_step));

		if (!ret)
			return;
		ret->kind = kinds[step->kind];
		ret->start = step->start;
		ret->size = step->size;
		ret->page_shift = step->page_shift;
		ret->levels = step->levels;
		ret->table_bytes = step->table;
		steps[reply->n_tce_steps++] = ret;
	}
}

/* view_planned() - The windows. Fewer if arena_ok() says so. */
static void view_planned(struct arena *arena, const struct tce_plan *plan,
			 const struct window_wish *wishes,
			 pb_plan_response *reply)
{
	pb_window **windows =
		plan->n_windows ?
			arena_alloc(arena, plan->n_windows * sizeof(*windows)) :
			NULL;

	reply->windows = windows;
	for (size_t i = 0; windows && i < plan->n_windows; i++) {
		const struct tce_window *w = &plan->windows[i];
		const struct window plain = {
			.start = w->start,
			.last = w->start + w->size - 1,
			.page_sizes = UINT64_C(1) << w->page_shift,
			.purpose = wishes[w->wish].purpose,
		};
		pb_window *ret = view_window(arena, &plain);

		if (!ret)
			return;
		ret->start_expected = w->dynamic;
		ret->huge_pages = w->huge_pages;
		windows[reply->n_windows++] = ret;
	}
}

/* plan_tce() - Plan for devices of SPAPR TCE */
int plan_tce(struct arena *arena, const struct window_device *devices,
	     size_t n_devices, const struct window_wish *wishes,
	     size_t n_wishes, pb_plan_response *reply, struct error *err)
{
	struct tce_plan plan = { .n_steps = 0 };
	int r;

	r = tce_plan_devices(devices, n_devices, wishes, n_wishes, &plan, err);
	if (r < 0)
		return r;
	view_planned(arena, &plan, wishes, reply);
	view_plan_steps(arena, &plan, reply);
	return 0;
}
