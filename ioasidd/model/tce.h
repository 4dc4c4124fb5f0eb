/* SPDX-License-Identifier: Apache-2.0
 *
 * tce.h - windows of POWER's SPAPR TCE: planned, before the platform is asked
 *
 * DOC: Theory of Operation
 *
 * A container of kind SPAPR TCE v2 has no addresses but those in its windows,
 * and at most two windows. The *default* one begins where the platform says
 * (dma32_start), has pages of 4 KiB and is there from the start: the kernel makes
 * it with the first window or mapping, unless it was removed before that. A
 * *dynamic* one is made on demand: its size is a power of two, its page size is
 * one of those that the platform has, and where it begins the platform decides.
 *
 * What is planned here is what a holder's process then does by itself, since a
 * container belongs to the first process that uses it. A window that the
 * platform refuses costs the device: the kernel notes the failure and makes no
 * window for it any more until the host is booted again. So the rules are:
 *
 * 1. At most two windows, as many as the kernel says, and of two one is the
 *    default one. On pSeries the firmware has the default one even while the
 *    container does not (it was removed before it was made), so there is room for
 *    one dynamic window, of whatever pages; a second one it refuses. Seen on QEMU
 *    10.0 with Linux 7.2: 2 GiB of 4 KiB pages beside the default window are made,
 *    beside 1 GiB of 64 KiB pages they are not, and the device is lost.
 * 2. The default window is kept wherever another one may be beside it: while
 *    there is a dynamic one it cannot be made again (-EPERM).
 * 3. A dynamic window's size is a power of two and its page size one that the
 *    kernel lists. What it is asked first is checked by the kernel itself
 *    (-EINVAL), but for what only the firmware knows.
 * 4. A container is for one group: each has windows of its own.
 *
 * A wish gets a window of its own, whose pages are the smallest in the wish's
 * page_sizes: a mapping in it begins and ends with a page of that size. Whether
 * the platform has room for the window is not known beforehand; what it lacks
 * room for the kernel refuses before it asks (-EINVAL), and that costs nothing.
 *
 * Sources: Linux 7.3, drivers/vfio/vfio_iommu_spapr_tce.c (tce_iommu_ioctl,
 * tce_iommu_create_window, tce_iommu_create_default_window) and
 * arch/powerpc/platforms/pseries/iommu.c (spapr_tce_create_table,
 * spapr_tce_set_window, is_default_window_request, failed_ddw_pdn_list). PowerNV
 * has fewer of these limits; what is planned here it can do.
 *
 * Pure: no system calls; nothing is kept. From every thread.
 */
#ifndef IOASIDD_MODEL_TCE_H
#define IOASIDD_MODEL_TCE_H

#include "base/error.h"
#include "kernel/kernel.h"
#include "model/window.h"

/* How many windows a container can have: IOMMU_TABLE_GROUP_MAX_TABLES. */
#define TCE_WINDOWS_MAX 2

/* To keep or remove the default one, and to make one. */
#define TCE_STEPS_MAX 2

/* Pages of the default window, log2 */
#define TCE_DEFAULT_SHIFT 12

/* Where dynamic windows begin on every machine seen (PAPR's convention). That
 * it is so is found out when the window is made.
 */
#define TCE_DYNAMIC_START UINT64_C(0x800000000000000)

/**
 * enum tce_step_kind - What is done with a container, in this order
 * @TCE_KEEP_DEFAULT:	Nothing: the kernel makes the default window
 * @TCE_REMOVE_DEFAULT:	VFIO_IOMMU_SPAPR_TCE_REMOVE, before anything is made
 * @TCE_CREATE:		VFIO_IOMMU_SPAPR_TCE_CREATE
 */
enum tce_step_kind {
	TCE_KEEP_DEFAULT,
	TCE_REMOVE_DEFAULT,
	TCE_CREATE,
	TCE_STEP_KIND_COUNT
};

/**
 * struct tce_step - One of them
 * @start:	Of the window, bytes; of one that is created, where it is expected
 * @size:	Of the window, bytes
 * @page_shift:	Log2 of the size of its pages
 * @levels:	Of its table
 * @table:	Bytes that its table takes: they count as locked memory of the
 *		holder
 */
struct tce_step {
	enum tce_step_kind kind;
	uint64_t start, size;
	uint32_t page_shift, levels;
	uint64_t table;
};

/**
 * struct tce_window - A window as it will be
 * @start:	First address; if @dynamic, where it is expected
 * @size:	Bytes
 * @page_shift:	Log2 of the size of its pages
 * @dynamic:	The platform says where it begins when it is made
 * @huge_pages:	Only memory in huge pages can be mapped in it: its pages are
 *		larger than the kernel's
 * @wish:	Which wish it is for
 */
struct tce_window {
	uint64_t start, size;
	uint32_t page_shift;
	bool dynamic, huge_pages;
	size_t wish;
};

/**
 * struct tce_plan - What to do, and what is there then
 * @steps:	What; @n_steps of them
 * @windows:	One for each wish, by address; @n_windows of them
 */
struct tce_plan {
	struct tce_step steps[TCE_STEPS_MAX];
	size_t n_steps;
	struct tce_window windows[TCE_WINDOWS_MAX];
	size_t n_windows;
};

/* tce_has_dynamic() - Can there be a dynamic window at all? */
bool tce_has_dynamic(const struct kernel_tce_info *info);

/**
 * tce_plan() - Plan windows, or say why they cannot be
 * @device:	Whose container, for the words
 * @info:	What the kernel says of it
 * @wishes:	What is needed; @n of them. @around means nothing: nothing is
 *		reserved in a window
 * @ret:	The plan
 *
 * Return: 0; -EINVAL window.invalid: a wish that cannot be on any machine;
 * -EADDRINUSE window.unavailable: the device is the cause, with what stands in
 * the way, and the remedy says what would fit.
 */
int tce_plan(const char *device, const struct kernel_tce_info *info,
	     const struct window_wish *wishes, size_t n, struct tce_plan *ret,
	     struct error *err);

/**
 * tce_plan_devices() - Plan windows for devices
 * @devices:	Whose capabilities are of backend spapr; @n_devices of them, one
 *		at least
 *
 * Return: as tce_plan(); -EADDRINUSE window.unavailable with the first device that
 * is of another group.
 */
int tce_plan_devices(const struct window_device *devices, size_t n_devices,
		     const struct window_wish *wishes, size_t n_wishes,
		     struct tce_plan *ret, struct error *err);

/**
 * tce_place() - What window_plan() does, where the platform makes the windows
 * @ret:	The windows, by address; to be freed. None: NULL. A dynamic one is
 *		where it is expected, and its page size is the one planned
 *
 * Return: as tce_plan_devices(); -ENOMEM daemon.no-memory.
 */
int tce_place(const struct window_device *devices, size_t n_devices,
	      const struct window_wish *wishes, size_t n_wishes,
	      struct window **ret, size_t *ret_n, struct error *err);

#endif
