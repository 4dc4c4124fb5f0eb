/* SPDX-License-Identifier: Apache-2.0
 *
 * type1.c - VFIO containers and groups: what there was before iommufd
 */
#include "kernel/type1.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/uapi.h"
#include "kernel/blame.h"
#include "kernel/call.h"
#include "kernel/holders.h"
#include "kernel/inventory.h"
#include "kernel/sysfs.h"
#include "kernel/users.h"
#include "kernel/vfio.h"

/* How often what a container says may grow between two calls. */
#define INFO_TRIES 8

/* Room for a few ranges; a second call makes up for it. */
#define INFO_FIRST 512

/**
 * number_arg() - What a call takes in place of an address
 */
static void *number_arg(unsigned long n)
{
	return (void *)n;
}

/* --- containers --- */

/**
 * is_iommufd() - Is it iommufd that imitates a container?
 *
 * A container without groups knows none but its own three calls.
 */
static bool is_iommufd(int fd)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };

	return !kernel_ioctl(fd, UAPI_IOAS_ALLOC, &cmd);
}

/**
 * has_extension() - Can a container translate in some way?
 * @type:	UAPI_TYPE1v2_IOMMU or its like
 */
static bool has_extension(int container, unsigned long type)
{
	return kernel_ioctl(container, UAPI_CHECK_EXTENSION,
			    number_arg(type)) > 0;
}

/* type1_detect() - Which backend do containers offer? */
enum kernel_backend type1_detect(const char *path)
{
	_cleanup_fd_ int fd = -1;

	if (type1_open(path, &fd, NULL) < 0)
		return KERNEL_BACKEND_NONE;
	if (has_extension(fd, UAPI_TYPE1v2_IOMMU))
		return KERNEL_BACKEND_TYPE1;
	if (has_extension(fd, UAPI_SPAPR_TCE_v2_IOMMU))
		return KERNEL_BACKEND_SPAPR;
	return KERNEL_BACKEND_NONE;
}

/* type1_open() - Make a container */
int type1_open(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_fd_ int fd = -1;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_CONTAINER,
				 "open '%s': %m", path);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_VFIO,
				 "open '%s': %m", path);
	if (is_iommufd(fd))
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_CONTAINER,
				 "'%s' is iommufd, which imitates a container",
				 path);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/**
 * set_iommu() - Make of a container what this machine can
 *
 * Return: 0; -1 with errno.
 */
static int set_iommu(int container)
{
	const unsigned long type =
		has_extension(container, UAPI_TYPE1v2_IOMMU) ?
			UAPI_TYPE1v2_IOMMU : UAPI_SPAPR_TCE_v2_IOMMU;

	return kernel_ioctl(container, UAPI_SET_IOMMU, number_arg(type));
}

/**
 * translates() - Has SET_IOMMU been done?
 *
 * GET_INFO is refused for its size once it has, and for itself before.
 */
static bool translates(int container)
{
	struct uapi_iommu_type1_info info = {
		.argsz = offsetof(struct uapi_iommu_type1_info, cap_offset),
	};

	return !kernel_ioctl(container, UAPI_IOMMU_GET_INFO, &info);
}

/**
 * refused() - Say why a group cannot be in a container
 * @call:	What was refused; errno says how
 *
 * Return: -errno.
 */
static int refused(int sysfs, int proc, const char *call, int number,
		   struct error *err)
{
	const int r = -errno;
	char what[64];

	(void)str_format(what, sizeof(what), "%s of group %d", call, number);
	if (r == -EPERM)
		return blame_permission(sysfs, proc, number, "",
					"vfio_iommu_type1", what, err);
	return error_set(err, r, ERROR_KERNEL_VFIO, "%s: %m", what);
}

/**
 * check_viable() - May a group be in a container at all?
 *
 * Return: 0; as refused(), -EPERM if it may not.
 */
static int check_viable(int sysfs, int proc, int group, int number,
			struct error *err)
{
	struct uapi_group_status status = { .argsz = sizeof(status) };

	if (kernel_ioctl(group, UAPI_GROUP_GET_STATUS, &status))
		return refused(sysfs, proc, "VFIO_GROUP_GET_STATUS", number,
			       err);
	if (status.flags & UAPI_GROUP_FLAGS_VIABLE)
		return 0;
	errno = EPERM;
	return refused(sysfs, proc, "VFIO_GROUP_GET_STATUS", number, err);
}

/* type1_attach() - Put a group into a container */
int type1_attach(int sysfs, int proc, int container, int group, int number,
		 struct error *err)
{
	int r = check_viable(sysfs, proc, group, number, err);

	if (r < 0)
		return r;
	if (kernel_ioctl(group, UAPI_GROUP_SET_CONTAINER, &container))
		return refused(sysfs, proc, "VFIO_GROUP_SET_CONTAINER", number,
			       err);
	if (translates(container) || !set_iommu(container))
		return 0;
	r = refused(sysfs, proc, "VFIO_SET_IOMMU", number, err);
	(void)kernel_ioctl(group, UAPI_GROUP_UNSET_CONTAINER, NULL);
	return r;
}

/* --- what a container says --- */

/**
 * take_ranges() - Read where memory can be mapped
 * @cap:	The capability
 * @size:	From it to the end of the answer
 *
 * Return: 0, -EPROTO or -ENOMEM.
 */
static int take_ranges(const void *cap, size_t size,
		       struct kernel_container_info *ret)
{
	struct uapi_iommu_type1_info_cap_iova_range head;
	struct uapi_iova_range range;
	const char *at = (const char *)cap + sizeof(head);

	if (size < sizeof(head) || ret->ranges)
		return -EPROTO;
	memcpy(&head, cap, sizeof(head));
	if (head.nr_iovas > (size - sizeof(head)) / sizeof(range))
		return -EPROTO;
	ret->ranges = calloc(head.nr_iovas ? head.nr_iovas : 1,
			     sizeof(*ret->ranges));
	if (!ret->ranges)
		return -ENOMEM;
	for (uint32_t i = 0; i < head.nr_iovas; i++) {
		memcpy(&range, at + i * sizeof(range), sizeof(range));
		ret->ranges[i] = (struct kernel_range){ range.start,
							range.last };
	}
	ret->n_ranges = head.nr_iovas;
	return 0;
}

/**
 * take_capability() - Read one capability; those that are not known mean nothing
 * @id:		Which
 * @cap:	It
 * @size:	From it to the end of the answer
 *
 * Return: as take_ranges().
 */
static int take_capability(unsigned int id, const void *cap, size_t size,
			   struct kernel_container_info *ret)
{
	struct uapi_iommu_type1_info_cap_migration dirty;
	struct uapi_iommu_type1_info_dma_avail avail;

	switch (id) {
	case UAPI_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE:
		return take_ranges(cap, size, ret);
	case UAPI_IOMMU_TYPE1_INFO_CAP_MIGRATION:
		if (size < sizeof(dirty))
			return -EPROTO;
		memcpy(&dirty, cap, sizeof(dirty));
		ret->dirty = true;
		ret->dirty_page_sizes = dirty.pgsize_bitmap;
		ret->dirty_bitmap_max = dirty.max_dirty_bitmap_size;
		return 0;
	case UAPI_IOMMU_TYPE1_INFO_DMA_AVAIL:
		if (size < sizeof(avail))
			return -EPROTO;
		memcpy(&avail, cap, sizeof(avail));
		ret->counts_entries = true;
		ret->entries = avail.avail;
		return 0;
	}
	return 0;
}

/**
 * take_capabilities() - Read the list of capabilities
 * @at:		Offset of the first; 0 for none
 *
 * Each begins behind the one before: so the list ends.
 *
 * Return: as take_ranges().
 */
static int take_capabilities(const void *answer, size_t size, size_t at,
			     struct kernel_container_info *ret)
{
	size_t least = sizeof(struct uapi_iommu_type1_info);
	struct uapi_info_cap_header head;
	int r = 0;

	while (at && r == 0) {
		if (at < least || at > size || size - at < sizeof(head))
			return -EPROTO;
		memcpy(&head, (const char *)answer + at, sizeof(head));
		r = take_capability(head.id, (const char *)answer + at,
				    size - at, ret);
		least = at + sizeof(head);
		at = head.next;
	}
	return r;
}

/* type1_parse_info() - Read what VFIO_IOMMU_GET_INFO has answered */
int type1_parse_info(const void *answer, size_t size,
		     struct kernel_container_info *ret)
{
	struct kernel_container_info info = { .page_sizes = 0 };
	struct uapi_iommu_type1_info head;
	int r = 0;

	if (size < sizeof(head))
		return -EPROTO;
	memcpy(&head, answer, sizeof(head));
	if (head.flags & UAPI_IOMMU_INFO_PGSIZES)
		info.page_sizes = head.iova_pgsizes;
	if (head.flags & UAPI_IOMMU_INFO_CAPS)
		r = take_capabilities(answer, size, head.cap_offset, &info);
	if (r < 0) {
		free(info.ranges);
		return r;
	}

	*ret = info;
	return 0;
}

/**
 * info_once() - Ask once what a container can do
 * @inout_size:	Room for the answer; what it needs
 *
 * Return: 0; -EMSGSIZE if it needs more; -errno.
 */
static int info_once(int container, size_t *inout_size,
		     struct kernel_container_info *ret)
{
	_cleanup_free_ struct uapi_iommu_type1_info *cmd = NULL;
	const size_t room = *inout_size;

	cmd = calloc(1, room);
	if (!cmd)
		return -ENOMEM;
	cmd->argsz = (uint32_t)room;
	if (kernel_ioctl(container, UAPI_IOMMU_GET_INFO, cmd))
		return -errno;
	if (cmd->argsz > room) {
		*inout_size = cmd->argsz;
		return -EMSGSIZE;
	}
	return type1_parse_info(cmd, room, ret);
}

/* type1_info() - Ask what a container can do */
int type1_info(int container, struct kernel_container_info *ret,
	       struct error *err)
{
	size_t size = INFO_FIRST;
	int r = -EMSGSIZE;

	for (int i = 0; i < INFO_TRIES && r == -EMSGSIZE; i++)
		r = info_once(container, &size, ret);
	if (r == -EMSGSIZE)
		r = -EAGAIN;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_VFIO,
				 "VFIO_IOMMU_GET_INFO: %m");
	return 0;
}

/* --- groups --- */

/**
 * node_number() - Which device number has a group's node?
 * @group:	The group
 * @ret:	The number
 *
 * Return: 0; -ENOENT if it has none.
 */
static int node_number(int sysfs, int group, dev_t *ret)
{
	unsigned int major, minor;
	char path[64], text[32];

	(void)str_format(path, sizeof(path), "class/vfio/%d/dev", group);
	if (sysfs_text(sysfs, path, text, sizeof(text)) < 0 ||
	    sscanf(text, "%u:%u", &major, &minor) != 2)
		return -ENOENT;
	*ret = makedev(major, minor);
	return 0;
}

/**
 * not_opened() - Say why a group's node cannot be opened
 * @path:	The node; errno says how
 *
 * Return: -errno.
 */
static int not_opened(int sysfs, int proc, const char *path, int group,
		      struct error *err)
{
	const int r = -errno;

	if (r == -EBUSY)
		return users_group_holders(sysfs, proc, group, err);
	return error_set(err, r, r == -ENOENT || r == -ENODEV ?
				 ERROR_KERNEL_NO_GROUP : ERROR_KERNEL_VFIO,
			 "open '%s': %m", path);
}

/* type1_group_open() - Open a group */
int type1_group_open(int sysfs, int proc, const char *folder, int group,
		     int *ret_fd, struct error *err)
{
	_cleanup_fd_ int fd = -1;
	dev_t before, after;
	struct stat st;
	char path[128];

	if (node_number(sysfs, group, &before) < 0)
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_GROUP,
				 "group %d has no node of VFIO", group);

	(void)str_format(path, sizeof(path), "%s/%d", folder, group);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return not_opened(sysfs, proc, path, group, err);
	if (fstat(fd, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != before ||
	    node_number(sysfs, group, &after) < 0 || after != before)
		return error_set(err, -ESTALE, ERROR_KERNEL_VFIO,
				 "'%s' is not the node of group %d", path,
				 group);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* type1_device() - Have a device of a group */
int type1_device(int group, const char *bdf, int *ret_fd, struct error *err)
{
	char name[BDF_SIZE];
	int fd;

	(void)str_copy(name, sizeof(name), bdf);
	fd = kernel_ioctl(group, UAPI_GROUP_GET_DEVICE_FD, name);
	if (fd < 0)
		return error_set(err, -errno, ERROR_DEVICE_UNUSABLE,
				 "VFIO_GROUP_GET_DEVICE_FD of %s: %m", bdf);

	*ret_fd = fd;
	return 0;
}

/* --- what others have left --- */

/**
 * is_empty() - Are all entries of a container left?
 *
 * Return: true if so; false if not, or if the kernel does not count.
 */
static bool is_empty(int sysfs, int container)
{
	const char *path = "module/vfio_iommu_type1/parameters/dma_entry_limit";
	struct kernel_container_info info = { .ranges = NULL };
	uint64_t limit = 0;
	char text[32];

	if (sysfs_text(sysfs, path, text, sizeof(text)) < 0 ||
	    str_u64(text, 10, UINT32_MAX, &limit) ||
	    type1_info(container, &info, NULL) < 0)
		return false;
	free(info.ranges);
	return info.counts_entries && info.entries == limit;
}

/* type1_unmap_all() - End all mappings of a container */
int type1_unmap_all(int sysfs, int container, uint64_t *ret_bytes,
		    struct error *err)
{
	struct uapi_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = UAPI_DMA_UNMAP_FLAG_ALL,
	};

	if (kernel_ioctl(container, UAPI_IOMMU_UNMAP_DMA, &unmap))
		return error_set(err, errno == EINVAL ? -EOPNOTSUPP : -errno,
				 ERROR_KERNEL_VFIO,
				 "VFIO_IOMMU_UNMAP_DMA of all: %m");
	if (!is_empty(sysfs, container))
		return error_set(err, -EPERM, ERROR_KERNEL_VFIO,
				 "VFIO_IOMMU_UNMAP_DMA has left mappings of another process, or it cannot be told that it has not");

	*ret_bytes = unmap.size;
	return 0;
}

/* type1_is() - Is it a descriptor of that function? */
int type1_is(int sysfs, int proc, int fd, const char *bdf, struct error *err)
{
	struct kernel_health health = { .vendor = 0 };
	struct kernel_device facts = { .vendor = 0 };
	char named[BDF_SIZE] = "";
	bool same;
	int r;

	if (holders_function(proc, fd, named) == 0) {
		same = str_eq(named, bdf);
	} else {
		r = inventory_device(sysfs, bdf, &facts, err);
		if (r == 0)
			r = vfio_health(fd, &health, err);
		if (r < 0)
			return r;
		same = health.vendor == facts.vendor &&
		       health.device == facts.device;
	}
	if (same)
		return 0;
	return error_set(err, -ESTALE, ERROR_KERNEL_VFIO,
			 "a descriptor is not of %s, but of %s", bdf,
			 *named ? named : "another device");
}
