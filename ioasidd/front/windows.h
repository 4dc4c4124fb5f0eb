/* SPDX-License-Identifier: Apache-2.0
 *
 * windows.h - windows between the contract and the model
 */
#ifndef IOASIDD_FRONT_WINDOWS_H
#define IOASIDD_FRONT_WINDOWS_H

#include "base/arena.h"
#include "front/contract.h"
#include "model/window.h"

/**
 * windows_from_wishes() - What a request wishes for, as the model has it
 * @field:	Where the wishes stood, for the words
 * @in:		As a stranger sent them; @n of them
 * @ret:	As many
 *
 * What windows can be is for window_plan() to say.
 *
 * Return: 0; -EINVAL window.invalid: more than WINDOWS_MAX; -EINVAL
 * request.invalid: a purpose that there is not.
 */
int windows_from_wishes(const char *field, pb_window_wish *const *in, size_t n,
			struct window_wish ret[WINDOWS_MAX],
			struct error *err);

/* view_windows() - Windows as messages. Return: @n of them; NULL for none, or
 * if arena_ok() says so.
 */
pb_window **view_windows(struct arena *arena, const struct window *windows,
			 size_t n);

/* view_iova_ranges() - Ranges as messages. Return: likewise. */
pb_range **view_iova_ranges(struct arena *arena,
			    const struct kernel_range *ranges, size_t n);

/* view_window() - A window as a message; NULL if arena_ok() says so. */
pb_window *view_window(struct arena *arena, const struct window *window);

/**
 * plan_tce() - Plan for devices of SPAPR TCE (windows-tce.c)
 * @arena:	Where the reply is
 * @devices:	Whose capabilities are of backend spapr; @n_devices of them, one
 *		at least
 * @wishes:	What is needed; @n_wishes of them
 * @reply:	Gets windows and steps
 *
 * Return: 0; -EADDRINUSE window.unavailable, also if they are of several groups;
 * as tce_plan().
 */
int plan_tce(struct arena *arena, const struct window_device *devices,
	     size_t n_devices, const struct window_wish *wishes,
	     size_t n_wishes, pb_plan_response *reply, struct error *err);

#endif
