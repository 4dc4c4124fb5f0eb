/* SPDX-License-Identifier: Apache-2.0
 *
 * windows.c - windows between the contract and the model; the method that plans
 */
#include "front/windows.h"

#include <assert.h>
#include <errno.h>

#include "front/handlers.h"
#include "ops/authorize.h"

/* The contract's number of each purpose. */
static const Ioasid__V1__WindowPurpose purposes[] = {
	[WINDOW_ANY] = IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_UNSPECIFIED,
	[WINDOW_DMA32] = IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32,
	[WINDOW_RAM] = IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_RAM,
};
static_assert(ARRAY_SIZE(purposes) == WINDOW_PURPOSE_COUNT,
	      "each purpose has a number in the contract");

/* --- views --- */

/* view_window() - A window as a message */
pb_window *view_window(struct arena *arena, const struct window *window)
{
	pb_window *ret = arena_message(arena, PB(window));

	if (!ret)
		return NULL;
	ret->start = window->start;
	ret->last = window->last;
	ret->page_sizes = window->page_sizes;
	ret->purpose = purposes[window->purpose];

	return ret;
}

/* view_windows() - Windows as messages */
pb_window **view_windows(struct arena *arena, const struct window *windows,
			 size_t n)
{
	pb_window **ret = n ? arena_alloc(arena, n * sizeof(*ret)) : NULL;

	for (size_t i = 0; ret && windows && i < n; i++) {
		ret[i] = view_window(arena, &windows[i]);
		if (!ret[i])
			return NULL;
	}
	return ret;
}

/* view_iova_ranges() - Ranges as messages */
pb_range **view_iova_ranges(struct arena *arena,
			    const struct kernel_range *ranges, size_t n)
{
	pb_range **ret = n ? arena_alloc(arena, n * sizeof(*ret)) : NULL;

	for (size_t i = 0; ret && i < n; i++) {
		ret[i] = arena_message(arena, PB(iova_range));
		if (!ret[i])
			return NULL;
		ret[i]->start = ranges[i].start;
		ret[i]->last = ranges[i].last;
	}
	return ret;
}

/* --- wishes --- */

/**
 * take_purpose() - What a window is for, as the model has it
 * @number:	The contract's
 *
 * Return: 0; -EINVAL if it is none.
 */
static int take_purpose(int number, enum window_purpose *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(purposes); i++)
		if ((int)purposes[i] == number) {
			*ret = (enum window_purpose)i;
			return 0;
		}
	return -EINVAL;
}

/* windows_from_wishes() - What a request wishes for, as the model has it */
int windows_from_wishes(const char *field, pb_window_wish *const *in, size_t n,
			struct window_wish ret[WINDOWS_MAX], struct error *err)
{
	if (n > WINDOWS_MAX)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "field %s: %zu windows; at most %d", field, n,
				 WINDOWS_MAX);
	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct window_wish){
			.size = in[i]->size,
			.fixed = in[i]->place_case ==
				 IOASID__V1__WINDOW_WISH__PLACE_START,
			.page_sizes = in[i]->page_sizes,
			.around = in[i]->around_reserved,
		};
		if (ret[i].fixed)
			ret[i].start = in[i]->start;
		if (take_purpose((int)in[i]->purpose, &ret[i].purpose) < 0)
			return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
					 "field %s[%zu].purpose: there is no purpose %d",
					 field, i, (int)in[i]->purpose);
	}
	return 0;
}

/* --- PlanWindows --- */

/**
 * check_names() - Are they names of devices, each there once?
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int check_names(const pb_plan_windows *in, struct error *err)
{
	int r;

	if (in->n_devices > LEASE_DEVICES_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field devices: %zu devices; at most %d",
				 in->n_devices, LEASE_DEVICES_MAX);
	for (size_t i = 0; i < in->n_devices; i++) {
		r = handler_name(COLLECTION_DEVICES, "devices", in->devices[i],
				 err);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (str_eq(in->devices[i], in->devices[j]))
				return error_set(err, -EINVAL,
						 ERROR_REQUEST_INVALID,
						 "field devices: %s is there twice",
						 in->devices[i]);
	}
	return 0;
}

/**
 * find_devices() - Look up what a plan is for
 * @call:	Who asks must be able to see each
 * @ret:	As many as there are names
 *
 * Under the registry's lock.
 *
 * Return: 0; -ENOENT device.not-found.
 */
static int find_devices(struct call *call, const pb_plan_windows *in,
			struct window_device ret[LEASE_DEVICES_MAX],
			struct error *err)
{
	struct registry *reg = call->host->registry;
	int r;

	for (size_t i = 0; i < in->n_devices; i++) {
		const struct device *device =
			registry_device(reg, in->devices[i]);

		if (device && device_visible(reg, device, call->caller)) {
			ret[i] = window_device(device,
					       registry_group_of(reg, device));
			continue;
		}
		r = error_set(err, -ENOENT, ERROR_DEVICE_NOT_FOUND,
			      "there is no %s", in->devices[i]);
		error_object(err, "%s", in->devices[i]);
		return r;
	}
	return 0;
}

/**
 * is_tce() - Are devices' windows made by the platform?
 *
 * A host has one backend; what was probed by another one is none that is ready.
 */
static bool is_tce(const struct window_device *devices, size_t n)
{
	return n && devices[0].caps &&
	       devices[0].caps->backend == KERNEL_BACKEND_SPAPR;
}

/**
 * answer() - Plan, and make the reply
 * @devices:	What is planned for
 * @wishes:	What is needed; as many of both as the request has
 * @reply:	Filled
 *
 * Under the registry's lock.
 *
 * Return: as window_plan().
 */
static int answer(struct call *call, const struct window_device *devices,
		  const struct window_wish *wishes, pb_plan_response *reply,
		  struct error *err)
{
	const pb_plan_windows *in = (const void *)call->input;
	_cleanup_free_ struct kernel_range *ranges = NULL;
	_cleanup_free_ struct window *windows = NULL;
	int r;

	r = window_ranges(devices, in->n_devices, &ranges,
			  &reply->n_iova_ranges, &reply->iova_alignment, err);
	if (r == 0 && is_tce(devices, in->n_devices))
		r = plan_tce(call->arena, devices, in->n_devices, wishes,
			     in->n_windows, reply, err);
	else if (r == 0)
		r = window_plan(devices, in->n_devices, wishes, in->n_windows,
				&windows, &reply->n_windows, err);
	if (r < 0)
		return r;
	reply->iova_ranges = view_iova_ranges(call->arena, ranges,
					      reply->n_iova_ranges);
	if (windows)
		reply->windows = view_windows(call->arena, windows,
					      reply->n_windows);
	reply->revision = call->host->registry->shown;
	return 0;
}

/* plan_windows() - Windows.PlanWindows */
int plan_windows(struct call *call, struct error *err)
{
	const pb_plan_windows *in = (const void *)call->input;
	struct window_device devices[LEASE_DEVICES_MAX];
	struct window_wish wishes[WINDOWS_MAX];
	pb_plan_response *reply;
	int r;

	r = check_names(in, err);
	if (r == 0)
		r = windows_from_wishes("windows", in->windows, in->n_windows,
					wishes, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(plan_windows_response));
	if (!reply)
		return handler_reply(call, NULL, err);

	registry_lock(call->host->registry);
	r = find_devices(call, in, devices, err);
	if (r == 0)
		r = answer(call, devices, wishes, reply, err);
	registry_unlock(call->host->registry);

	return r < 0 ? r : handler_reply(call, reply, err);
}
