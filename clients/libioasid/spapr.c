/* SPDX-License-Identifier: Apache-2.0
 *
 * spapr.c - containers of POWER's SPAPR TCE, in the process that has them
 *
 * DOC: Theory of Operation
 *
 * What the platform refuses costs the device its dynamic windows until the next
 * boot. So whatever is asked of it was checked before against what the kernel says
 * that it can: check_window(), check_steps(). The kernel does not tell which windows
 * there are: who makes them otherwise than by ioasid_tce_carry_out(), and a second
 * dynamic one, is not kept from it here.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/uapi.h"
#include "libioasid/call.h"
#include "libioasid/container.h"
#include "libioasid/fail.h"
#include "libioasid/ioasid.h"

/* More, the kernel says where there are no dynamic ones at all (its -1). */
#define WINDOWS_MAX 2

/* tce_failed() - What every call can be refused for. Return: -@error. */
static int tce_failed(int error, const char *call, struct ioasid_error *err)
{
	switch (error) {
	case EPERM:
		return fail_set(err, -EPERM, IOASID_ERROR_KERNEL,
				"%s: the container is another process's, or no "
				"memory was registered in it", call);
	case ENOMEM:
		return fail_set(err, -ENOMEM, IOASID_ERROR_MAP_LIMIT,
				"%s: more than RLIMIT_MEMLOCK lets this process "
				"lock; tables of windows count, too", call);
	case ENXIO:
		return fail_set(err, -ENXIO, IOASID_ERROR_NO_OBJECT,
				"%s: no group is in the container", call);
	case ENOTTY:
		return fail_set(err, -ENOTTY, IOASID_ERROR_UNSUPPORTED,
				"%s: the descriptor is no container of SPAPR "
				"TCE v2", call);
	case EBADF:
		return fail_set(err, -EBADF, IOASID_ERROR_ARGUMENT,
				"%s: the descriptor is not open", call);
	default:
		return fail_set(err, -error, IOASID_ERROR_KERNEL, "%s: %m",
				call);
	}
}

/* ioasid_tce_info() - See ioasid.h. */
int ioasid_tce_info(int container, struct ioasid_tce_info *ret,
		    struct ioasid_error *err)
{
	struct uapi_iommu_spapr_tce_info info = { .argsz = sizeof(info) };
	const struct uapi_iommu_spapr_tce_ddw_info *ddw = &info.ddw;

	if (call_ioctl(container, UAPI_IOMMU_SPAPR_TCE_GET_INFO, &info) < 0)
		return tce_failed(errno, "VFIO_IOMMU_SPAPR_TCE_GET_INFO", err);
	*ret = (struct ioasid_tce_info){
		.dma32_start = info.dma32_window_start,
		.dma32_size = info.dma32_window_size,
		.max_windows = 1,
	};
	if (info.flags & UAPI_IOMMU_SPAPR_INFO_DDW &&
	    ddw->max_dynamic_windows_supported >= 1 &&
	    ddw->max_dynamic_windows_supported <= WINDOWS_MAX) {
		ret->page_sizes = ddw->pgsizes;
		ret->max_windows = ddw->max_dynamic_windows_supported;
		ret->levels = ddw->levels;
	}
	return 0;
}

/* --- what may be asked of the platform --- */

/**
 * check_window() - Can a dynamic window be so?
 * @info:	What the container can have
 *
 * Return: 0; -EINVAL IOASID_ERROR_ARGUMENT.
 */
static int check_window(const struct ioasid_tce_info *info,
			uint32_t page_shift, uint64_t size, uint32_t levels,
			struct ioasid_error *err)
{
	if (page_shift >= 64 || !(info->page_sizes >> page_shift & 1))
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"the platform has no pages of 2^%u bytes; its "
				"sizes are 0x%" PRIx64, page_shift,
				info->page_sizes);
	if (!size || size & (size - 1) || !(size >> page_shift))
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"0x%" PRIx64 " bytes are no power of two, or "
				"less than a page", size);
	if (!levels || levels > info->levels)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a table of %u levels; the platform has 1 to %u",
				levels, info->levels);
	return 0;
}

/**
 * check_steps() - Can the steps be done in a new container?
 *
 * Return: 0; -EINVAL IOASID_ERROR_ARGUMENT.
 */
static int check_steps(const struct ioasid_tce_info *info,
		       const struct ioasid_tce_step *steps, size_t n,
		       struct ioasid_error *err)
{
	bool removed = false, made = false;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (steps[i].kind == IOASID_TCE_KEEP_DEFAULT)
			continue;
		if (steps[i].kind == IOASID_TCE_REMOVE_DEFAULT && !made) {
			removed = true;
			continue;
		}
		if (steps[i].kind != IOASID_TCE_CREATE || made)
			return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
					"step %zu: the default window is removed "
					"before another is made, of which there "
					"is one at most", i + 1);
		made = true;
		r = check_window(info, steps[i].page_shift, steps[i].size,
				 steps[i].levels, err);
	}
	if (r == 0 && made && !removed && info->max_windows < WINDOWS_MAX)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"there is one window at a time: the default one "
				"is to be removed before another is made");
	return r;
}

/* --- windows --- */

/**
 * create() - Make a dynamic window, checked
 * @window:	What it is to be like; its start is filled
 *
 * Return: 0; see ioasid_tce_carry_out().
 */
static int create(int container, struct ioasid_tce_window *window,
		  struct ioasid_error *err)
{
	struct uapi_iommu_spapr_tce_create make = {
		.argsz = sizeof(make),
		.page_shift = window->page_shift,
		.window_size = window->size,
		.levels = window->levels,
	};

	if (call_ioctl(container, UAPI_IOMMU_SPAPR_TCE_CREATE, &make) == 0) {
		window->start = make.start_addr;
		return 0;
	}
	switch (errno) {
	case EINVAL:
		return fail_set(err, -EINVAL, IOASID_ERROR_MAP_FULL,
				"the platform has no room for a window of "
				"0x%" PRIx64 " bytes", window->size);
	case ENOSPC:
		return fail_set(err, -ENOSPC, IOASID_ERROR_MAP_FULL,
				"the container has two windows");
	case ENODEV:
		return fail_set(err, -ENODEV, IOASID_ERROR_UNSUPPORTED,
				"the platform has refused a window for this "
				"device, now or before: it makes none until the "
				"next boot");
	default:
		return tce_failed(errno, "VFIO_IOMMU_SPAPR_TCE_CREATE", err);
	}
}

/* ioasid_tce_remove() - See ioasid.h. */
int ioasid_tce_remove(int container, uint64_t start, struct ioasid_error *err)
{
	struct uapi_iommu_spapr_tce_remove gone = {
		.argsz = sizeof(gone),
		.start_addr = start,
	};

	if (call_ioctl(container, UAPI_IOMMU_SPAPR_TCE_REMOVE, &gone) == 0)
		return 0;
	if (errno == EINVAL)
		return fail_set(err, -EINVAL, IOASID_ERROR_NO_OBJECT,
				"no window begins at 0x%" PRIx64, start);
	return tce_failed(errno, "VFIO_IOMMU_SPAPR_TCE_REMOVE", err);
}

/* ioasid_tce_carry_out() - See ioasid.h.
 *
 * Before it is made the kernel knows the default window as the one at 0, wherever
 * it is going to be.
 */
int ioasid_tce_carry_out(int container, const struct ioasid_tce_step *steps,
			 size_t n_steps, struct ioasid_tce_window *ret,
			 struct ioasid_error *err)
{
	struct ioasid_tce_window window = { .size = 0 };
	struct ioasid_tce_info info = { .levels = 0 };
	int r;

	r = ioasid_tce_info(container, &info, err);
	if (r == 0)
		r = check_steps(&info, steps, n_steps, err);
	for (size_t i = 0; i < n_steps && r == 0; i++) {
		if (steps[i].kind == IOASID_TCE_REMOVE_DEFAULT)
			r = ioasid_tce_remove(container, 0, err);
		if (steps[i].kind != IOASID_TCE_CREATE)
			continue;
		window = (struct ioasid_tce_window){
			.size = steps[i].size,
			.page_shift = steps[i].page_shift,
			.levels = steps[i].levels,
		};
		r = create(container, &window, err);
	}
	if (r == 0 && ret)
		*ret = window;
	return r;
}

/* ioasid_tce_resize() - See ioasid.h. */
int ioasid_tce_resize(int container, struct ioasid_tce_window *window,
		      uint64_t size, struct ioasid_error *err)
{
	struct ioasid_tce_window new = *window, old = *window;
	struct ioasid_tce_info info = { .levels = 0 };
	int r;

	new.size = size;
	r = ioasid_tce_info(container, &info, err);
	if (r == 0)
		r = check_window(&info, new.page_shift, size, new.levels, err);
	if (r == 0)
		r = ioasid_tce_remove(container, window->start, err);
	if (r < 0)
		return r;
	r = create(container, &new, err);
	if (r == 0) {
		*window = new;
		return 0;
	}
	/* Not if the platform has refused: it would again. */
	if (r == -ENODEV || create(container, &old, NULL) < 0)
		old.size = 0;
	*window = old;
	return r;
}

/* --- memory --- */

/* ioasid_tce_register() - See ioasid.h. */
int ioasid_tce_register(int container, void *memory, uint64_t length,
			struct ioasid_error *err)
{
	struct uapi_iommu_spapr_register_memory known = {
		.argsz = sizeof(known),
		.vaddr = (uintptr_t)memory,
		.size = length,
	};

	if (call_ioctl(container, UAPI_IOMMU_SPAPR_REGISTER_MEMORY,
		       &known) == 0)
		return 0;
	switch (errno) {
	case EBUSY:
		return fail_set(err, -EBUSY, IOASID_ERROR_IN_USE,
				"this memory is registered");
	case EINVAL:
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"it is not made of whole pages, or overlaps "
				"memory that is registered");
	default:
		return tce_failed(errno, "VFIO_IOMMU_SPAPR_REGISTER_MEMORY",
				  err);
	}
}

/* ioasid_tce_unregister() - See ioasid.h. */
int ioasid_tce_unregister(int container, void *memory, uint64_t length,
			  struct ioasid_error *err)
{
	struct uapi_iommu_spapr_register_memory known = {
		.argsz = sizeof(known),
		.vaddr = (uintptr_t)memory,
		.size = length,
	};

	if (call_ioctl(container, UAPI_IOMMU_SPAPR_UNREGISTER_MEMORY,
		       &known) == 0)
		return 0;
	if (errno == ENOENT)
		return fail_set(err, -ENOENT, IOASID_ERROR_NO_OBJECT,
				"this memory is not registered as it stands here");
	return tce_failed(errno, "VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY", err);
}

/* no_window() - Nothing can be mapped there. Return: -ENXIO. */
static int no_window(uint64_t iova, struct ioasid_error *err)
{
	return fail_set(err, -ENXIO, IOASID_ERROR_MAP_RANGE,
			"0x%" PRIx64 " is in no window of the container", iova);
}

/* ioasid_tce_map() - See ioasid.h. */
int ioasid_tce_map(int container, void *memory, uint64_t length,
		   uint32_t flags, uint64_t iova, struct ioasid_error *err)
{
	struct uapi_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = container_map_flags(flags),
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = length,
	};

	if (call_ioctl(container, UAPI_IOMMU_MAP_DMA, &map) == 0)
		return 0;
	switch (errno) {
	case ENXIO:
		return no_window(iova, err);
	case EINVAL:
		if ((map.vaddr | iova | length) & 0xfff)
			return fail_set(err, -EINVAL,
					IOASID_ERROR_MAP_ALIGNMENT,
					"memory, length or address is no multiple "
					"of a page");
		return fail_set(err, -EINVAL, IOASID_ERROR_MAP_MEMORY,
				"the memory is not registered, or not made of "
				"whole pages of the window: pages larger than "
				"the kernel's need huge pages");
	default:
		return tce_failed(errno, "VFIO_IOMMU_MAP_DMA", err);
	}
}

/* ioasid_tce_unmap() - See ioasid.h. */
int ioasid_tce_unmap(int container, uint64_t iova, uint64_t length,
		     struct ioasid_error *err)
{
	struct uapi_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = length,
	};

	if (call_ioctl(container, UAPI_IOMMU_UNMAP_DMA, &unmap) == 0)
		return 0;
	if (errno == ENXIO)
		return no_window(iova, err);
	if (errno == EINVAL)
		return fail_set(err, -EINVAL, IOASID_ERROR_MAP_ALIGNMENT,
				"the range is not made of whole pages of its "
				"window");
	return tce_failed(errno, "VFIO_IOMMU_UNMAP_DMA", err);
}
