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
 * What a device can use is in its capabilities, which a probe has found: the
 * ranges of IOMMU_IOAS_IOVA_RANGES with that device alone. What is in no range
 * between its first and its last address the device reserves; the reserved
 * regions of its group tell what it is, and are looked at for nothing else
 * ("direct-relaxable" ones reserve nothing). What is beyond is outside of its
 * aperture. Windows are planned for what all devices can use.
 *
 * In words windows are counted from 1, in the order in which they were asked
 * for.
 *
 * Pure: no system calls; nothing is kept. From every thread.
 */
#ifndef IOASIDD_MODEL_WINDOW_H
#define IOASIDD_MODEL_WINDOW_H

#include "base/error.h"
#include "model/device.h"

/* Windows of a space, and wishes in one request. */
#define WINDOWS_MAX 64

/* Every window is a multiple of it, whatever the devices; no IOMMU that Linux
 * drives has smaller pages. Bytes.
 */
#define WINDOW_ALIGNMENT_MIN UINT64_C(4096)

/**
 * enum window_purpose - What a window is for
 * @WINDOW_ANY:		Nothing said
 * @WINDOW_DMA32:	Devices that can address 32 bits: it ends below 4 GiB
 * @WINDOW_RAM:		The guest's memory; anywhere
 */
enum window_purpose {
	WINDOW_ANY,
	WINDOW_DMA32,
	WINDOW_RAM,
	WINDOW_PURPOSE_COUNT
};

/**
 * struct window - A range that is promised
 * @start:	First address; may be 0
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
 * @fixed:	It begins at @start; otherwise wherever there is room
 * @start:	Likewise
 * @page_sizes:	Sizes of pages that it must be good for; 0 for the devices'
 *		smallest
 * @purpose:	What it is for
 * @around:	Leave out what the devices reserve: there is a window for each
 *		piece of it that is left. Beyond an aperture nothing is left
 *		out: that is refused.
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
 * struct window_device - A device that is to use the windows; all borrowed
 * @name:	Its resource name
 * @caps:	What its probe has found; NULL if it has none
 * @reserved:	Reserved regions of its group; @n_reserved of them
 * @group:	Name of its group; NULL if it has none
 */
struct window_device {
	const char *name;
	const struct capabilities *caps;
	const struct kernel_reserved *reserved;
	size_t n_reserved;
	const char *group;
};

/* window_device() - What windows have to know of a device. @group may be NULL.
 */
struct window_device window_device(const struct device *device,
				   const struct group *group);

/**
 * window_ranges() - What all of some devices can use
 * @devices:	Which; @n_devices, none for a machine without limits
 * @ret:	The ranges, by address; to be freed. None: NULL.
 * @ret_n:	How many
 * @ret_alignment: Of every window, bytes
 *
 * Return: 0; -EBUSY device.not-ready: one was never probed; -ENOMEM
 * daemon.no-memory.
 */
int window_ranges(const struct window_device *devices, size_t n_devices,
		  struct kernel_range **ret, size_t *ret_n,
		  uint64_t *ret_alignment, struct error *err);

/**
 * window_plan() - Place windows, or say why they cannot be
 * @devices:	Which all are to use them; @n_devices, none for a machine
 *		without limits
 * @wishes:	What is needed; @n_wishes, at most WINDOWS_MAX
 * @ret:	The windows, by address; to be freed. None: NULL.
 * @ret_n:	How many: more than wishes if some were cut, at most WINDOWS_MAX
 *
 * Those with a start are placed first, then those below 4 GiB, then the others;
 * of each kind one after the other, at the lowest place that is left. That may
 * be 0: who does not want address 0 in a window asks for another start. Start
 * and size of every window are multiples of the devices' alignments and of the
 * largest of its own page sizes. What is cut is shortened to such, and nothing
 * else is placed where it was cut; without a start it begins where something is
 * left.
 *
 * Return: 0; -EINVAL window.invalid: a wish that cannot be, or that overlaps
 * another; -EADDRINUSE window.unavailable: each cause is a device with what it
 * has there, or a window that is placed there, and the remedy says what would
 * fit; -E2BIG limit.windows: too many pieces; -EBUSY device.not-ready: a device
 * was never probed; -ENOMEM daemon.no-memory.
 */
int window_plan(const struct window_device *devices, size_t n_devices,
		const struct window_wish *wishes, size_t n_wishes,
		struct window **ret, size_t *ret_n, struct error *err);

/**
 * window_check() - Can a device be used with windows that were promised?
 * @windows:	Which; @n of them
 *
 * Return: 0; -EADDRINUSE window.unavailable: each cause is the device, with
 * what it has in one of the windows; -EBUSY device.not-ready.
 */
int window_check(const struct window_device *device,
		 const struct window *windows, size_t n, struct error *err);

/* window_purpose_name() - "any", "dma32", "ram". */
const char *window_purpose_name(enum window_purpose purpose);

/* window_purpose_from_name() - The reverse. Return: 0 or -EINVAL. */
int window_purpose_from_name(const char *name, enum window_purpose *ret);

#endif
