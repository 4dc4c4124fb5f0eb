/* SPDX-License-Identifier: Apache-2.0
 *
 * window.c - windows, planned before anything is made
 */
#include <errno.h>
#include <stdlib.h>

#include "ioasid/v1/window.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/wish.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/**
 * struct plan_box - A plan and what it owns
 * @pub:	What the caller has; first, so that it is the box's address
 * @windows:	What @pub.windows points to
 * @ranges:	What @pub.iova_ranges points to
 * @steps:	What @pub.tce_steps points to
 */
struct plan_box {
	struct ioasid_window_plan pub;
	struct ioasid_window *windows;
	struct ioasid_range *ranges;
	struct ioasid_tce_step *steps;
};

/* ioasid_window_plan_free() - See ioasid.h. */
struct ioasid_window_plan *
ioasid_window_plan_free(struct ioasid_window_plan *plan)
{
	struct plan_box *box = (struct plan_box *)plan;

	if (box) {
		free(box->windows);
		free(box->ranges);
		free(box->steps);
		free(box);
	}
	return NULL;
}

/**
 * plan_fill() - Fill a plan from its message
 * @box:	The plan, with room for all of it
 * @msg:	Its message
 */
static void plan_fill(struct plan_box *box,
		      const Ioasid__V1__PlanWindowsResponse *msg)
{
	for (size_t i = 0; i < msg->n_windows; i++)
		box->windows[i] = (struct ioasid_window){
			.start = msg->windows[i]->start,
			.last = msg->windows[i]->last,
			.page_sizes = msg->windows[i]->page_sizes,
			.purpose = (enum ioasid_window_purpose)
					   msg->windows[i]->purpose,
		};
	for (size_t i = 0; i < msg->n_iova_ranges; i++)
		box->ranges[i] = (struct ioasid_range){
			.start = msg->iova_ranges[i]->start,
			.last = msg->iova_ranges[i]->last,
		};
	for (size_t i = 0; i < msg->n_tce_steps; i++)
		box->steps[i] = (struct ioasid_tce_step){
			.kind = (enum ioasid_tce_step_kind)
					msg->tce_steps[i]->kind,
			.start = msg->tce_steps[i]->start,
			.size = msg->tce_steps[i]->size,
			.page_shift = msg->tce_steps[i]->page_shift,
			.levels = msg->tce_steps[i]->levels,
			.table_bytes = msg->tce_steps[i]->table_bytes,
		};
	box->pub = (struct ioasid_window_plan){
		.revision = msg->revision,
		.n_windows = msg->n_windows,
		.windows = box->windows,
		.n_iova_ranges = msg->n_iova_ranges,
		.iova_ranges = box->ranges,
		.iova_alignment = msg->iova_alignment,
		.n_tce_steps = msg->n_tce_steps,
		.tce_steps = box->steps,
	};
}

/**
 * plan_new() - Make a plan of its message
 * @msg:	The message
 *
 * Return: the plan; NULL without memory.
 */
static struct ioasid_window_plan *
plan_new(const Ioasid__V1__PlanWindowsResponse *msg)
{
	struct plan_box *box = calloc(1, sizeof(*box));

	if (!box)
		return NULL;
	box->windows = calloc(msg->n_windows + 1, sizeof(*box->windows));
	box->ranges = calloc(msg->n_iova_ranges + 1, sizeof(*box->ranges));
	box->steps = calloc(msg->n_tce_steps + 1, sizeof(*box->steps));
	if (!box->windows || !box->ranges || !box->steps)
		return ioasid_window_plan_free(&box->pub);
	plan_fill(box, msg);
	return (void *)box; /* whose first member it is */
}

/**
 * plan_call() - Have windows planned
 * @request:	For what
 * @ret:	The plan
 *
 * Return: see ioasid.h.
 */
static int plan_call(struct ioasid *conn,
		     const Ioasid__V1__PlanWindowsRequest *request,
		     struct ioasid_window_plan **ret, struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_window_plan *plan;
	int r;

	r = channel_call(conn, "Windows/PlanWindows", &request->base,
			 &ioasid__v1__plan_windows_response__descriptor,
			 &reply, err);
	if (r < 0)
		return r;
	plan = plan_new((Ioasid__V1__PlanWindowsResponse *)reply);
	if (!plan)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = plan;
	return 0;
}

/* ioasid_windows_plan() - See ioasid.h. */
int ioasid_windows_plan(struct ioasid *conn, const char *const *devices,
			size_t n_devices,
			const struct ioasid_window_wish *wishes,
			size_t n_wishes, struct ioasid_window_plan **ret,
			struct ioasid_error *err)
{
	Ioasid__V1__PlanWindowsRequest request =
		IOASID__V1__PLAN_WINDOWS_REQUEST__INIT;
	struct wish_windows windows;
	int r;

	r = wish_windows_fill(wishes, n_wishes, &windows, err);
	if (r < 0)
		return r;
	request.devices = (char **)devices;
	request.n_devices = n_devices;
	request.windows = windows.pointers;
	request.n_windows = n_wishes;
	return plan_call(conn, &request, ret, err);
}
