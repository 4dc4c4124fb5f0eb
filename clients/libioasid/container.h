/* SPDX-License-Identifier: Apache-2.0
 *
 * container.h - the one space of a VFIO container (type1), in the place of an
 *		 iommufd's
 *
 * What the functions of ioasid.h do when they are asked for
 * IOASID_SPACE_OF_CONTAINER.
 */
#ifndef LIBIOASID_CONTAINER_H
#define LIBIOASID_CONTAINER_H

#include "base/uapi.h"
#include "libioasid/ioasid.h"

/* What a container has no call for. */
enum container_lack {
	CONTAINER_MAP_FILE,
	CONTAINER_COPY,
	CONTAINER_PLACE,
	CONTAINER_ALLOW,
	CONTAINER_FLAGS,
	CONTAINER_KEEP_DIRTY,
};

/* container_cannot() - Say so, and what to do instead. Return: -EOPNOTSUPP. */
int container_cannot(enum container_lack lack, struct ioasid_error *err)
	__attribute__((cold));

/* container_map_flags() - What a device may do with a mapping, in VFIO's words. */
static inline uint32_t container_map_flags(uint32_t flags)
{
	return (flags & IOASID_MAP_READ ? UAPI_DMA_MAP_FLAG_READ : 0) |
	       (flags & IOASID_MAP_WRITE ? UAPI_DMA_MAP_FLAG_WRITE : 0);
}

/* container_map() - As ioasid_map(). */
int container_map(int container, void *memory, uint64_t length, uint32_t flags,
		  const uint64_t *iova, struct ioasid_error *err);

/* container_unmap() - As ioasid_unmap(). */
int container_unmap(int container, uint64_t iova, uint64_t length,
		    uint64_t *ret_bytes, struct ioasid_error *err);

/* container_unmap_all() - As ioasid_unmap_all(). */
int container_unmap_all(int container, uint64_t *ret_bytes,
			struct ioasid_error *err);

/* container_ranges() - As ioasid_ioas_ranges(). */
int container_ranges(int container, struct ioasid_range *ranges, size_t *n,
		     uint64_t *ret_alignment, struct ioasid_error *err);

/* container_dirty_watch() - As ioasid_dirty_watch(). */
int container_dirty_watch(int container, bool on, struct ioasid_error *err);

/* container_dirty_read() - As ioasid_dirty_read(). */
int container_dirty_read(int container, uint64_t iova, uint64_t length,
			 uint64_t page, unsigned int options, uint64_t *bitmap,
			 struct ioasid_error *err);

#endif
