/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h - windows: where they can be, and what stands in the way
 *
 * DOC: Theory of Operation
 *
 * A window is a range of I/O virtual addresses that a space promises to its
 * devices: the kernel refuses what would take it away (IOMMU_IOAS_ALLOW_IOVAS).
 * Who needs some says how long they are to be, and where if that matters; the
 * answer is the windows placed, all of them, or which device stands in the way
 * of which, by what, and what would fit.
 *
 * Pure: what a device can do is in its capabilities, which a probe has found.
 */
#ifndef IOASIDD_MODEL_WINDOW_H
#define IOASIDD_MODEL_WINDOW_H

#include "base/error.h"
#include "model/device.h"

/* Windows of a space, and wishes in one request. */
#define WINDOWS_MAX 64

enum window_purpose {
	WINDOW_ANY,
	WINDOW_DMA32,	/* below 4 GiB */
	WINDOW_RAM,
	WINDOW_PURPOSE_COUNT
};

/**
 * struct window - A range that is promised
 * @start:	First address
 * @last:	Last address, inclusive
 * @page_sizes:	One bit for each size that a mapping can begin with
 * @purpose:	What it is for
 */
struct window {
	uint64_t start, last;
	uint64_t page_sizes;
	enum window_purpose purpose;
};

/**
 * struct window_wish - A window that somebody needs
 * @size:	Bytes
 * @fixed:	It begins at @start, or it is none
 * @start:	Likewise
 * @page_sizes:	0 for the devices' smallest
 * @purpose:	What it is for
 * @around:	Leave out what the devices reserve
 */
struct window_wish {
	uint64_t size;
	bool fixed;
	uint64_t start;
	uint64_t page_sizes;
	enum window_purpose purpose;
	bool around;
};

/**
 * struct window_device - A device that is to use the windows
 * @name:	Its resource name
 * @caps:	What its probe has found
 * @reserved:	Reserved regions of its group; @n_reserved of them
 */
struct window_device {
	const char *name;
	const struct capabilities *caps;
	const struct kernel_reserved *reserved;
	size_t n_reserved;
};

/**
 * window_plan() - Place windows, or say why they cannot be
 * @devices:	Which all are to use them; @n_devices, none for no limit but the
 *		64 bits of an address
 * @wishes:	What is needed; @n_wishes, 1 to WINDOWS_MAX
 * @ret:	The windows, by address; to be freed
 * @ret_n:	How many: more than wishes if some were cut
 *
 * Those with a start are placed first, then the others, each at its lowest
 * place. Every window is a multiple of the devices' alignment and of its own
 * page sizes.
 *
 * Return: 0; -EINVAL window.invalid: a wish that cannot be, or overlaps
 * another; -EADDRINUSE window.unavailable: each cause is a device with what it
 * has there, the remedy says what would fit; -ENOMEM.
 */
int window_plan(const struct window_device *devices, size_t n_devices,
		const struct window_wish *wishes, size_t n_wishes,
		struct window **ret, size_t *ret_n, struct error *err);

/**
 * window_check() - Can a device be used with windows that were promised?
 *
 * Return: 0; -EADDRINUSE window.unavailable, as window_plan().
 */
int window_check(const struct window_device *device,
		 const struct window *windows, size_t n, struct error *err);

const char *window_purpose_name(enum window_purpose purpose);
int window_purpose_from_name(const char *name, enum window_purpose *ret);

#endif
