/* SPDX-License-Identifier: Apache-2.0
 *
 * iommufd.h - one function for each call to iommufd that we make
 */
#ifndef IOASIDD_KERNEL_IOMMUFD_H
#define IOASIDD_KERNEL_IOMMUFD_H

#include "kernel/kernel.h"

/**
 * iommufd_open() - Make a context
 * @path:	"/dev/iommu"
 * @ret_fd:	The context, empty; ends with its last descriptor and device
 * @err:	Filled on failure
 *
 * Return: 0; -ENOENT, kernel.no-iommufd, if the kernel has none; -errno.
 */
int iommufd_open(const char *path, int *ret_fd, struct error *err);

/**
 * iommufd_rlimit_mode() - Account pinned memory to processes, not to users
 * @fd:		A context without objects
 * @err:	Filled on failure
 *
 * Source: IOMMU_OPTION, RLIMIT_MODE 1. What is mapped then counts towards the
 * RLIMIT_MEMLOCK of the process that maps, instead of towards all of its uid.
 *
 * Return: 0; -EBUSY if it has an object; -EPERM without CAP_SYS_RESOURCE.
 */
int iommufd_rlimit_mode(int fd, struct error *err);

/**
 * iommufd_ioas_alloc() - Make an I/O address space
 * @fd:		The context
 * @ret_id:	Its id; undone by iommufd_destroy()
 * @err:	Filled on failure
 *
 * Source: IOMMU_IOAS_ALLOC.
 *
 * Return: 0; -ENOMEM; other kernel errors unchanged.
 */
int iommufd_ioas_alloc(int fd, uint32_t *ret_id, struct error *err);

/**
 * iommufd_ioas_ranges() - Ask where memory can be mapped
 * @fd:		The context
 * @ioas_id:	The space
 * @ret:	Ranges, ascending; the caller frees them
 * @ret_n:	How many
 * @ret_alignment: Of addresses, bytes
 * @err:	Filled on failure
 *
 * Source: IOMMU_IOAS_IOVA_RANGES. They change with each attachment.
 *
 * Return: 0; -ENOENT if there is no such space; -ENOMEM; -EAGAIN if they did
 * not stop changing.
 */
int iommufd_ioas_ranges(int fd, uint32_t ioas_id, struct kernel_range **ret,
			size_t *ret_n, uint64_t *ret_alignment,
			struct error *err);

/**
 * iommufd_ioas_allow() - Say what a space promises
 * @fd:		The context
 * @ioas_id:	The space
 * @ranges:	In place of what was promised before; @n of them, 0 for nothing
 * @err:	Filled on failure
 *
 * Return: 0; -EADDRINUSE: a device that is attached reserves part of it;
 * -ENOENT: no such space; -ENOMEM.
 */
int iommufd_ioas_allow(int fd, uint32_t ioas_id,
		       const struct kernel_range *ranges, size_t n,
		       struct error *err);

/**
 * iommufd_ioas_unmap_all() - End all mappings of a space, whoever made them
 * @fd:		The context
 * @ioas_id:	The space
 * @ret_bytes:	How much was mapped
 * @err:	Filled on failure
 *
 * Return: 0, also if nothing was mapped; -EBUSY: a mapping is locked.
 */
int iommufd_ioas_unmap_all(int fd, uint32_t ioas_id, uint64_t *ret_bytes,
			   struct error *err);

/**
 * iommufd_ioas_map_file() - Map memory of a memfd at an address
 * @fd:		The context
 * @ioas_id:	The space
 * @memory:	The memfd; borrowed. Its access mode and seals are not looked at
 * @offset:	In it, bytes
 * @length:	Bytes
 * @iova:	Where
 * @writable:	For devices
 * @err:	Filled on failure
 *
 * Source: IOMMU_IOAS_MAP_FILE, since 6.13.
 *
 * Return: 0; -EEXIST: something is mapped there; -EINVAL; -ENOMEM.
 */
int iommufd_ioas_map_file(int fd, uint32_t ioas_id, int memory,
			  uint64_t offset, uint64_t length, uint64_t iova,
			  bool writable, struct error *err);

/**
 * iommufd_ioas_unmap() - End whole mappings
 * @fd:		The context
 * @ioas_id:	The space
 * @iova:	From where on
 * @length:	Bytes
 * @ret_bytes:	How much was mapped there
 * @err:	Filled on failure
 *
 * Return: 0; -ENOENT: nothing is mapped there, or the range cuts a mapping.
 */
int iommufd_ioas_unmap(int fd, uint32_t ioas_id, uint64_t iova,
		       uint64_t length, uint64_t *ret_bytes,
		       struct error *err);

/**
 * iommufd_hw_info() - Ask what a device's IOMMU can do
 * @fd:		The context
 * @dev_id:	A device that is bound to it
 * @ret:	What it can do
 * @err:	Filled on failure
 *
 * Source: IOMMU_GET_HW_INFO.
 *
 * Return: 0; -ENOENT if there is no such device; -EOPNOTSUPP if it has no
 * IOMMU.
 */
int iommufd_hw_info(int fd, uint32_t dev_id, struct kernel_hw_info *ret,
		    struct error *err);

/**
 * iommufd_destroy() - End an object
 * @fd:		The context
 * @id:		The object; not a device, which ends with its descriptor
 * @err:	Filled on failure
 *
 * Source: IOMMU_DESTROY.
 *
 * Return: 0; -EBUSY if something uses it; -ENOENT if there is none.
 */
int iommufd_destroy(int fd, uint32_t id, struct error *err);

#endif
