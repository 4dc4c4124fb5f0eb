/* SPDX-License-Identifier: Apache-2.0
 *
 * container.c - the one space of a VFIO container (type1), in the place of an
 *		 iommufd's
 *
 * DOC: Theory of Operation
 *
 * A lease of a host without iommufd comes with a container, which has one space
 * and no id for it: IOASID_SPACE_OF_CONTAINER. As in map.c a mapping is one
 * ioctl(2). Where the two interfaces answer one question in two ways the answer
 * is iommufd's, as far as it can be had without a second call: a range in which
 * nothing is mapped is -ENOENT, and so is one that a mapping sticks out of.
 *
 * What a container lacks is refused here, without a call: it chooses no
 * addresses, since it has no windows and does not tell what is mapped; it takes
 * no file, since it pins what its caller sees; it copies nothing.
 */
#include "libioasid/container.h"

#include <errno.h>
#include <string.h>

#include "base/simfd.h"
#include "base/uapi.h"
#include "libioasid/call.h"
#include "libioasid/explain.h"
#include "libioasid/fail.h"

/* Room for what a container says of itself: about a thousand ranges. */
#define INFO_SIZE 16384

/* container_cannot() - See container.h. */
int container_cannot(enum container_lack lack, struct ioasid_error *err)
{
	static const struct {
		const char *what, *instead;
	} words[] = {
		[CONTAINER_MAP_FILE] = {
			"a container maps no files",
			"Map the file into the process (mmap, MAP_SHARED), and "
			"its address with ioasid_map()." },
		[CONTAINER_COPY] = {
			"a container has one space and copies nothing",
			"Map the memory again with ioasid_map()." },
		[CONTAINER_PLACE] = {
			"a container chooses no addresses",
			"Say one inside a window of the space "
			"(IOASID_MAP_FIXED)." },
		[CONTAINER_ALLOW] = {
			"a container has no windows: ioasidd checks those of "
			"its space, and the kernel does not",
			"Set them with ioasid_space_set_windows()." },
		[CONTAINER_FLAGS] = {
			"a flag that this library does not know of a container",
			"Leave it out." },
		[CONTAINER_KEEP_DIRTY] = {
			"what was written counts as read in a container",
			"Leave IOASID_DIRTY_KEEP out, and collect." },
	};

	(void)fail_set(err, -EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED,
		       "%s (VFIO type1)", words[lack].what);
	fail_remedy(err, words[lack].instead);
	return -EOPNOTSUPP;
}

/**
 * no_container() - A call on a container was made on an iommufd?
 *
 * That takes it, for the sake of old programs, and has no such space if none of
 * them has made it.
 *
 * Return: the errno that says so; @error otherwise.
 */
static int no_container(int error, int fd)
{
	return error == ENODEV && !simfd_is(fd) ? ENOENT : error;
}

/* --- mappings --- */

/* cannot_map() - Why. Return: -errno. */
static int __attribute__((cold, noinline))
cannot_map(int container, const struct uapi_iommu_type1_dma_map *map,
	    uint32_t flags, struct ioasid_error *err)
{
	const struct wish wish = {
		.iommufd = container,
		.ioas = IOASID_SPACE_OF_CONTAINER,
		.source = SOURCE_MEMORY,
		.at = map->vaddr,
		.iova = map->iova,
		.length = map->size,
		.flags = flags,
	};

	return explain_map(no_container(errno, container), &wish, err);
}

/* container_map() - See container.h. */
int container_map(int container, void *memory, uint64_t length, uint32_t flags,
		  const uint64_t *iova, struct ioasid_error *err)
{
	const uint32_t known = IOASID_MAP_FIXED | IOASID_MAP_WRITE |
			       IOASID_MAP_READ;
	struct uapi_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = container_map_flags(flags),
		.vaddr = (uintptr_t)memory,
		.size = length,
	};

	if (flags & ~known)
		return container_cannot(CONTAINER_FLAGS, err);
	if (!(flags & IOASID_MAP_FIXED))
		return container_cannot(CONTAINER_PLACE, err);
	map.iova = *iova;
	if (call_ioctl(container, UAPI_IOMMU_MAP_DMA, &map) < 0)
		return cannot_map(container, &map, flags, err);

	return 0;
}

/* cannot_unmap() - Why; nothing was mapped, too. Return: -errno. */
static int __attribute__((cold, noinline))
cannot_unmap(int error, int container, uint64_t iova, uint64_t length,
	      struct ioasid_error *err)
{
	/*
	 * One that sticks out, or that cannot be there, is not there. But the
	 * kernel looks at the alignment first, and at the end afterwards.
	 */
	if (error == EINVAL && length)
		error = length - 1 > UINT64_MAX - iova ? EOVERFLOW : ENOENT;
	return explain_unmap(no_container(error, container), container,
			     IOASID_SPACE_OF_CONTAINER, iova, length, err);
}

/* container_unmap() - See container.h. */
int container_unmap(int container, uint64_t iova, uint64_t length,
		    uint64_t *ret_bytes, struct ioasid_error *err)
{
	struct uapi_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = length,
	};

	/* The one range that iommufd takes although it reaches the end. */
	if (!iova && length == UINT64_MAX)
		return container_unmap_all(container, ret_bytes, err);
	if (call_ioctl(container, UAPI_IOMMU_UNMAP_DMA, &unmap) < 0)
		return cannot_unmap(errno, container, iova, length, err);
	if (!unmap.size)
		return cannot_unmap(ENOENT, container, iova, length, err);

	if (ret_bytes)
		*ret_bytes = unmap.size;
	return 0;
}

/* container_unmap_all() - See container.h. */
int container_unmap_all(int container, uint64_t *ret_bytes,
			struct ioasid_error *err)
{
	struct uapi_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = UAPI_DMA_UNMAP_FLAG_ALL,
	};

	if (call_ioctl(container, UAPI_IOMMU_UNMAP_DMA, &unmap) < 0) {
		if (errno == EINVAL)
			return fail_set(err, -EOPNOTSUPP,
					IOASID_ERROR_UNSUPPORTED,
					"VFIO_IOMMU_UNMAP_DMA: this kernel is "
					"too old to end all mappings of a "
					"container at once (Linux 5.12)");
		return explain_unmap(no_container(errno, container), container,
				     IOASID_SPACE_OF_CONTAINER, 0, UINT64_MAX,
				     err);
	}
	if (ret_bytes)
		*ret_bytes = unmap.size;
	return 0;
}

/* --- what it says of itself --- */

/**
 * union info - What a container says of itself
 * @head:	Fixed
 * @bytes:	With what follows
 */
union info {
	struct uapi_iommu_type1_info head;
	uint8_t bytes[INFO_SIZE];
};

/**
 * find_ranges() - Where in it are the ranges?
 * @info:	As the kernel filled it
 * @ret_n:	How many there are
 *
 * Offsets are the kernel's, and looked at all the same.
 *
 * Return: the offset of the first; 0 if it does not tell.
 */
static size_t find_ranges(const union info *info, size_t *ret_n)
{
	const size_t end = info->head.argsz < INFO_SIZE ? info->head.argsz :
							  INFO_SIZE;
	struct uapi_iommu_type1_info_cap_iova_range cap;
	size_t at = info->head.flags & UAPI_IOMMU_INFO_CAPS ?
			    info->head.cap_offset : 0;

	while (at && at < end && end - at >= sizeof(cap)) {
		memcpy(&cap, info->bytes + at, sizeof(cap));
		if (cap.header.id == UAPI_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
			*ret_n = cap.nr_iovas;
			at += sizeof(cap);
			return cap.nr_iovas <=
			       (end - at) / sizeof(struct uapi_iova_range) ?
				       at : 0;
		}
		/* They lie one behind the other. */
		at = cap.header.next > at ? cap.header.next : 0;
	}
	return 0;
}

/* container_ranges() - See container.h. */
int container_ranges(int container, struct ioasid_range *ranges, size_t *n,
		     uint64_t *ret_alignment, struct ioasid_error *err)
{
	const char *call = "VFIO_IOMMU_GET_INFO";
	const size_t room = *n;
	union info info;
	size_t at;

	memset(&info.head, 0, sizeof(info.head));
	info.head.argsz = sizeof(info);
	if (call_ioctl(container, UAPI_IOMMU_GET_INFO, &info) < 0)
		return explain_object(no_container(errno, container), call,
				      container, "space",
				      IOASID_SPACE_OF_CONTAINER, err);
	at = find_ranges(&info, n);
	if (!at)
		return fail_set(err, -EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED,
				"%s: this kernel does not say where a container "
				"can have mappings (Linux 5.4)", call);
	if (*n > room)
		return fail_set(err, -EMSGSIZE, IOASID_ERROR_KERNEL,
				"%s: %zu ranges, room for %zu", call, *n, room);
	memcpy(ranges, info.bytes + at, *n * sizeof(*ranges));
	if (ret_alignment)
		*ret_alignment = info.head.iova_pgsizes &
				 (~info.head.iova_pgsizes + 1);
	return 0;
}

/* --- what devices have written --- */

/* cannot_tell() - Why. Return: -@error. */
static int __attribute__((cold, noinline))
cannot_tell(int error, int container, uint64_t page, struct ioasid_error *err)
{
	const char *call = "VFIO_IOMMU_DIRTY_PAGES";

	if (!err || explain_descriptor(error, call, container,
				       "a VFIO container", err))
		return -error;
	if (error != EINVAL)
		return fail_set(err, -error, IOASID_ERROR_KERNEL, "%s: %m",
				call);
	return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
			"the container is not watched, a mapping sticks out of "
			"the range, or 0x%llx bytes are not the IOMMU's "
			"smallest page", (unsigned long long)page);
}

/* container_dirty_watch() - See container.h. */
int container_dirty_watch(int container, bool on, struct ioasid_error *err)
{
	struct uapi_iommu_type1_dirty_bitmap watch = {
		.argsz = sizeof(watch),
		.flags = on ? UAPI_IOMMU_DIRTY_PAGES_FLAG_START :
			      UAPI_IOMMU_DIRTY_PAGES_FLAG_STOP,
	};

	if (call_ioctl(container, UAPI_IOMMU_DIRTY_PAGES, &watch) < 0)
		return cannot_tell(errno, container, 0, err);

	return 0;
}

/* container_dirty_read() - See container.h. */
int container_dirty_read(int container, uint64_t iova, uint64_t length,
			 uint64_t page, unsigned int options, uint64_t *bitmap,
			 struct ioasid_error *err)
{
	const uint64_t pages = page ? length / page : 0;
	struct {
		struct uapi_iommu_type1_dirty_bitmap head;
		struct uapi_iommu_type1_dirty_bitmap_get range;
	} get = {
		.head.argsz = sizeof(get),
		.head.flags = UAPI_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		.range.iova = iova,
		.range.size = length,
		.range.bitmap.pgsize = page,
		/* In words, whole ones. */
		.range.bitmap.size = (pages / 64 + (pages % 64 != 0)) * 8,
		.range.bitmap.data = (uintptr_t)bitmap,
	};

	if (options & IOASID_DIRTY_KEEP)
		return container_cannot(CONTAINER_KEEP_DIRTY, err);
	/* The kernel asks for the lowest bit of it before it looks at it. */
	if (!page)
		return cannot_tell(EINVAL, container, page, err);
	if (call_ioctl(container, UAPI_IOMMU_DIRTY_PAGES, &get) < 0)
		return cannot_tell(errno, container, page, err);

	return 0;
}
