/* SPDX-License-Identifier: Apache-2.0
 *
 * iommufd.c - one function for each call to iommufd that we make
 */
#include "kernel/iommufd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/uapi.h"
#include "kernel/call.h"

/* Ranges of a space rarely are more; a second call makes up for it. */
#define RANGES_FIRST 16

/* How often the ranges may change between two calls. */
#define RANGES_TRIES 8

/* iommufd_open() - Make a context */
int iommufd_open(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_fd_ int fd = -1;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_IOMMUFD,
				 "open '%s': %m", path);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "open '%s': %m", path);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* iommufd_rlimit_mode() - Account pinned memory to processes */
int iommufd_rlimit_mode(int fd, struct error *err)
{
	struct uapi_option cmd = {
		.size = sizeof(cmd),
		.option_id = UAPI_OPTION_RLIMIT_MODE,
		.op = UAPI_OPTION_OP_SET,
		.val64 = 1,
	};

	if (kernel_ioctl(fd, UAPI_OPTION, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_OPTION RLIMIT_MODE: %m");

	return 0;
}

/* iommufd_ioas_alloc() - Make an I/O address space */
int iommufd_ioas_alloc(int fd, uint32_t *ret_id, struct error *err)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (kernel_ioctl(fd, UAPI_IOAS_ALLOC, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_IOAS_ALLOC: %m");

	*ret_id = cmd.out_ioas_id;
	return 0;
}

/**
 * ranges_once() - Ask once where memory can be mapped
 * @fd:		The context
 * @cmd:	With room for @num_iovas; what the kernel says
 * @ret:	The ranges; the caller frees them
 *
 * Return: 0; -EMSGSIZE if there are more, @num_iovas says how many; -errno.
 */
static int ranges_once(int fd, struct uapi_ioas_iova_ranges *cmd,
		       struct kernel_range **ret)
{
	_cleanup_free_ struct uapi_iova_range *ranges = NULL;
	struct kernel_range *result;

	ranges = calloc(cmd->num_iovas, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	cmd->allowed_iovas = (uintptr_t)ranges;
	if (kernel_ioctl(fd, UAPI_IOAS_IOVA_RANGES, cmd))
		return -errno;

	result = calloc(cmd->num_iovas ? cmd->num_iovas : 1, sizeof(*result));
	if (!result)
		return -ENOMEM;
	for (uint32_t i = 0; i < cmd->num_iovas; i++)
		result[i] = (struct kernel_range){
			.start = ranges[i].start,
			.last = ranges[i].last,
		};

	*ret = result;
	return 0;
}

/* iommufd_ioas_ranges() - Ask where memory can be mapped */
int iommufd_ioas_ranges(int fd, uint32_t ioas_id, struct kernel_range **ret,
			size_t *ret_n, uint64_t *ret_alignment,
			struct error *err)
{
	struct uapi_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.num_iovas = RANGES_FIRST,
	};
	int r = -EMSGSIZE;

	for (int i = 0; i < RANGES_TRIES && r == -EMSGSIZE; i++)
		r = ranges_once(fd, &cmd, ret);
	if (r == -EMSGSIZE)
		r = -EAGAIN;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_IOAS_IOVA_RANGES of space %u: %m",
				 ioas_id);

	*ret_n = cmd.num_iovas;
	*ret_alignment = cmd.out_iova_alignment;
	return 0;
}

/* iommufd_ioas_allow() - Say what a space promises */
int iommufd_ioas_allow(int fd, uint32_t ioas_id,
		       const struct kernel_range *ranges, size_t n,
		       struct error *err)
{
	_cleanup_free_ struct uapi_iova_range *list = NULL;
	struct uapi_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.num_iovas = (uint32_t)n,
	};

	list = calloc(n ? n : 1, sizeof(*list));
	if (!list)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for %zu ranges", n);
	for (size_t i = 0; i < n; i++)
		list[i] = (struct uapi_iova_range){
			.start = ranges[i].start,
			.last = ranges[i].last,
		};
	cmd.allowed_iovas = (uintptr_t)list;
	if (kernel_ioctl(fd, UAPI_IOAS_ALLOW_IOVAS, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_IOAS_ALLOW_IOVAS of space %u: %m",
				 ioas_id);
	return 0;
}

/* iommufd_ioas_unmap_all() - End all mappings of a space */
int iommufd_ioas_unmap_all(int fd, uint32_t ioas_id, uint64_t *ret_bytes,
			   struct error *err)
{
	struct uapi_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.iova = 0,
		.length = UINT64_MAX,
	};

	if (kernel_ioctl(fd, UAPI_IOAS_UNMAP, &cmd)) {
		if (errno != ENOENT)
			return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
					 "IOMMU_IOAS_UNMAP of all of space %u: %m",
					 ioas_id);
		cmd.length = 0;
	}
	*ret_bytes = cmd.length;
	return 0;
}

/* iommufd_ioas_map_file() - Map memory of a memfd at an address */
int iommufd_ioas_map_file(int fd, uint32_t ioas_id, int memory,
			  uint64_t offset, uint64_t length, uint64_t iova,
			  bool writable, struct error *err)
{
	struct uapi_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = UAPI_IOAS_MAP_FIXED_IOVA | UAPI_IOAS_MAP_READABLE |
			 (writable ? UAPI_IOAS_MAP_WRITEABLE : 0),
		.ioas_id = ioas_id,
		.fd = memory,
		.start = offset,
		.length = length,
		.iova = iova,
	};

	if (kernel_ioctl(fd, UAPI_IOAS_MAP_FILE, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_IOAS_MAP_FILE of 0x%llx bytes at 0x%llx of space %u: %m",
				 (unsigned long long)length,
				 (unsigned long long)iova, ioas_id);
	return 0;
}

/* iommufd_ioas_unmap() - End whole mappings */
int iommufd_ioas_unmap(int fd, uint32_t ioas_id, uint64_t iova,
		       uint64_t length, uint64_t *ret_bytes,
		       struct error *err)
{
	struct uapi_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.iova = iova,
		.length = length,
	};

	if (kernel_ioctl(fd, UAPI_IOAS_UNMAP, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_IOAS_UNMAP of 0x%llx bytes at 0x%llx of space %u: %m",
				 (unsigned long long)length,
				 (unsigned long long)iova, ioas_id);
	*ret_bytes = cmd.length;
	return 0;
}

/* iommufd_hw_info() - Ask what a device's IOMMU can do */
int iommufd_hw_info(int fd, uint32_t dev_id, struct kernel_hw_info *ret,
		    struct error *err)
{
	struct kernel_hw_info info = { 0 };
	struct uapi_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = dev_id,
		.data_len = sizeof(info.data),
		.data_uptr = (uintptr_t)info.data,
	};

	if (kernel_ioctl(fd, UAPI_GET_HW_INFO, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_GET_HW_INFO of device %u: %m", dev_id);

	info.type = cmd.out_data_type;
	/* The kernel says how much it has, which may be more than room. */
	info.data_len = cmd.data_len < sizeof(info.data)
			? cmd.data_len : (uint32_t)sizeof(info.data);
	info.capabilities = cmd.out_capabilities;
	info.max_pasid_log2 = cmd.out_max_pasid_log2;

	*ret = info;
	return 0;
}

/* iommufd_destroy() - End an object */
int iommufd_destroy(int fd, uint32_t id, struct error *err)
{
	struct uapi_destroy cmd = { .size = sizeof(cmd), .id = id };

	if (kernel_ioctl(fd, UAPI_DESTROY, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_IOMMUFD,
				 "IOMMU_DESTROY of object %u: %m", id);

	return 0;
}
