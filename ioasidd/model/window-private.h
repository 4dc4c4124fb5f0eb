/* SPDX-License-Identifier: Apache-2.0
 *
 * window-private.h - what the parts of the planner know of each other
 *
 * window.c places windows; window-reasons.c says why one cannot be, and what
 * would fit.
 */
#ifndef IOASIDD_MODEL_WINDOW_PRIVATE_H
#define IOASIDD_MODEL_WINDOW_PRIVATE_H

#include "model/ranges.h"
#include "model/window.h"

/* Where what 32 bits can address ends. */
#define DMA32_LAST UINT64_C(0xffffffff)

/* What is left of one range when those that a device can use are cut out. */
#define HOLES_MAX (CAPABILITY_RANGES_MAX + 1)

/**
 * struct plan - Windows that are being placed
 * @devices:	Whose; @n_devices of them
 * @wishes:	What is needed; @n_wishes of them
 * @alignment:	What all devices need
 * @aperture:	Addresses that all devices have, reserved or not
 * @no_aperture: There are none, and @aperture means nothing
 * @usable:	What all devices can use
 * @free:	What is left of it
 * @windows:	What was placed; @n of them, room for WINDOWS_MAX
 * @placed_by:	For each of them its wish
 */
struct plan {
	const struct window_device *devices;
	size_t n_devices;
	const struct window_wish *wishes;
	size_t n_wishes;
	uint64_t alignment;
	struct kernel_range aperture;
	bool no_aperture;
	struct ranges usable, free;
	struct window *windows;
	size_t placed_by[WINDOWS_MAX];
	size_t n;
};

/* wish_alignment() - What start and size of a wish's windows are multiples of,
 * bytes.
 */
uint64_t wish_alignment(const struct plan *plan,
			const struct window_wish *wish);

/* wish_need() - What room a wish looks for. */
struct need wish_need(const struct plan *plan, const struct window_wish *wish);

/* wish_pieces() - How many windows a wish would be, cut around what is reserved
 * in @span of what is in @from.
 */
size_t wish_pieces(const struct plan *plan, const struct window_wish *wish,
		   const struct ranges *from, const struct kernel_range *span);

/* window_check_ready() - Is known what a device can use? Return: 0; -EBUSY,
 * device.not-ready.
 */
int window_check_ready(const struct window_device *device, struct error *err);

/**
 * window_aperture() - The addresses that a device has, reserved or not
 *
 * From its first usable address to its last, and what its group reserves next
 * to them.
 *
 * Return: false if it can use none.
 */
bool window_aperture(const struct window_device *device,
		     struct kernel_range *ret);

/**
 * window_refuse_fixed() - Say why a wish cannot be where it is asked for
 * @i:		Which wish
 * @span:	Where
 *
 * Return: -EADDRINUSE, window.unavailable.
 */
int window_refuse_fixed(const struct plan *plan, size_t i,
			const struct kernel_range *span, struct error *err);

/**
 * window_refuse_anywhere() - Say why there is no room for a wish
 * @i:		Which wish, which may be anywhere
 *
 * Return: -EADDRINUSE, window.unavailable.
 */
int window_refuse_anywhere(const struct plan *plan, size_t i,
			   struct error *err);

/**
 * window_refuse_pages() - Say that devices have no pages as small as wished for
 * @i:		Which wish
 *
 * Return: -EADDRINUSE, window.unavailable.
 */
int window_refuse_pages(const struct plan *plan, size_t i, struct error *err);

#endif
