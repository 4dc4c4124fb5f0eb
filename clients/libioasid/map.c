/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - mappings of spaces, each by one ioctl on the caller's own iommufd, or
 *	   VFIO container
 *
 * DOC: Theory of Operation
 *
 * A device's throughput hangs on this path where a guest has an IOMMU of its
 * own. So it is the system call and nothing beside it: no memory, no lock, no
 * word to the daemon, no look at the arguments that the kernel has anyway. What
 * was wrong is asked for when something was (explain.c), by functions of their
 * own: so little has to be kept over the call.
 */
#include <assert.h>
#include <errno.h>

#include "base/uapi.h"
#include "libioasid/call.h"
#include "libioasid/container.h"
#include "libioasid/explain.h"
#include "libioasid/ioasid.h"

static_assert(IOASID_MAP_FIXED == UAPI_IOAS_MAP_FIXED_IOVA &&
	      IOASID_MAP_WRITE == UAPI_IOAS_MAP_WRITEABLE &&
	      IOASID_MAP_READ == UAPI_IOAS_MAP_READABLE,
	      "the flags are passed on as they are");

/* map_refused() - Why; the structure is as it was sent. Return: -errno. */
static int __attribute__((cold, noinline))
map_refused(int iommufd, const struct uapi_ioas_map *map,
	    struct ioasid_error *err)
{
	const struct wish wish = {
		.iommufd = iommufd,
		.ioas = map->ioas_id,
		.source = SOURCE_MEMORY,
		.at = map->user_va,
		.iova = map->iova,
		.length = map->length,
		.flags = map->flags,
	};

	return explain_map(errno, &wish, err);
}

/* ioasid_map() - See ioasid.h. */
int ioasid_map(int iommufd, uint32_t ioas, void *memory, uint64_t length,
	       uint32_t flags, uint64_t *iova, struct ioasid_error *err)
{
	struct uapi_ioas_map map = {
		.size = sizeof(map),
		.flags = flags,
		.ioas_id = ioas,
		.user_va = (uintptr_t)memory,
		.length = length,
		/* Without IOASID_MAP_FIXED the kernel only writes it. */
		.iova = flags & IOASID_MAP_FIXED ? *iova : 0,
	};

	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_map(iommufd, memory, length, flags, iova,
				     err);
	if (call_ioctl(iommufd, UAPI_IOAS_MAP, &map) < 0)
		return map_refused(iommufd, &map, err);

	*iova = map.iova;
	return 0;
}

/* map_file_refused() - Likewise */
static int __attribute__((cold, noinline))
map_file_refused(int iommufd, const struct uapi_ioas_map_file *map,
		 struct ioasid_error *err)
{
	const struct wish wish = {
		.iommufd = iommufd,
		.ioas = map->ioas_id,
		.source = SOURCE_FILE,
		.from = (uint32_t)map->fd,
		.at = map->start,
		.iova = map->iova,
		.length = map->length,
		.flags = map->flags,
	};

	return explain_map(errno, &wish, err);
}

/* ioasid_map_file() - See ioasid.h. */
int ioasid_map_file(int iommufd, uint32_t ioas, int file, uint64_t offset,
		    uint64_t length, uint32_t flags, uint64_t *iova,
		    struct ioasid_error *err)
{
	struct uapi_ioas_map_file map = {
		.size = sizeof(map),
		.flags = flags,
		.ioas_id = ioas,
		.fd = file,
		.start = offset,
		.length = length,
		.iova = flags & IOASID_MAP_FIXED ? *iova : 0,
	};

	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_cannot(CONTAINER_MAP_FILE, err);
	if (call_ioctl(iommufd, UAPI_IOAS_MAP_FILE, &map) < 0)
		return map_file_refused(iommufd, &map, err);

	*iova = map.iova;
	return 0;
}

/* copy_refused() - Likewise */
static int __attribute__((cold, noinline))
copy_refused(int iommufd, const struct uapi_ioas_copy *copy,
	     struct ioasid_error *err)
{
	const struct wish wish = {
		.iommufd = iommufd,
		.ioas = copy->dst_ioas_id,
		.source = SOURCE_SPACE,
		.from = copy->src_ioas_id,
		.at = copy->src_iova,
		.iova = copy->dst_iova,
		.length = copy->length,
		.flags = copy->flags,
	};

	return explain_map(errno, &wish, err);
}

/* ioasid_copy() - See ioasid.h. */
int ioasid_copy(int iommufd, uint32_t ioas, uint32_t from_ioas, uint64_t from,
		uint64_t length, uint32_t flags, uint64_t *iova,
		struct ioasid_error *err)
{
	struct uapi_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = flags,
		.dst_ioas_id = ioas,
		.src_ioas_id = from_ioas,
		.length = length,
		.src_iova = from,
		.dst_iova = flags & IOASID_MAP_FIXED ? *iova : 0,
	};

	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_cannot(CONTAINER_COPY, err);
	if (call_ioctl(iommufd, UAPI_IOAS_COPY, &copy) < 0)
		return copy_refused(iommufd, &copy, err);

	*iova = copy.dst_iova;
	return 0;
}

/* unmap_refused() - Likewise */
static int __attribute__((cold, noinline))
unmap_refused(int iommufd, const struct uapi_ioas_unmap *unmap,
	      struct ioasid_error *err)
{
	return explain_unmap(errno, iommufd, unmap->ioas_id, unmap->iova,
			     unmap->length, err);
}

/* ioasid_unmap() - See ioasid.h. */
int ioasid_unmap(int iommufd, uint32_t ioas, uint64_t iova, uint64_t length,
		 uint64_t *ret_bytes, struct ioasid_error *err)
{
	struct uapi_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};

	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_unmap(iommufd, iova, length, ret_bytes, err);
	if (call_ioctl(iommufd, UAPI_IOAS_UNMAP, &unmap) < 0)
		return unmap_refused(iommufd, &unmap, err);

	if (ret_bytes)
		*ret_bytes = unmap.length;
	return 0;
}

/* ioasid_unmap_all() - See ioasid.h. */
int ioasid_unmap_all(int iommufd, uint32_t ioas, uint64_t *ret_bytes,
		     struct ioasid_error *err)
{
	if (ioas == IOASID_SPACE_OF_CONTAINER)
		return container_unmap_all(iommufd, ret_bytes, err);
	/* The one range that the kernel takes although it reaches the end. */
	return ioasid_unmap(iommufd, ioas, 0, UINT64_MAX, ret_bytes, err);
}
