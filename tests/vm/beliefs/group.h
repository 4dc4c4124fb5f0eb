/* SPDX-License-Identifier: Apache-2.0
 *
 * group.h - VFIO's groups and containers, for beliefs about them
 */
#ifndef TESTS_VM_BELIEFS_GROUP_H
#define TESTS_VM_BELIEFS_GROUP_H

#include "belief.h"

/**
 * try_group() - Open the group of a device
 *
 * Skips the program if this kernel has no groups.
 *
 * Return: the descriptor or -errno.
 */
static inline int try_group(const char *bdf)
{
	char target[256], path[64];
	const char *number;
	ssize_t n;
	int fd;

	n = readlink(of(bdf, "iommu_group"), target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	number = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%s", number ? number + 1 : "");
	if (access(path, F_OK))
		skipped("no VFIO groups in this kernel");
	fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/**
 * need_group() - The same where it is not the belief
 */
static inline int need_group(const char *bdf)
{
	int fd = try_group(bdf);

	need("open the group", fd);

	return fd;
}

/**
 * open_container() - Make a container
 */
static inline int open_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		broken("open /dev/vfio/vfio: %s", strerror(errno));

	return fd;
}

/**
 * try_status() - VFIO_GROUP_GET_STATUS
 */
static inline int try_status(int group)
{
	struct uapi_group_status cmd = { .argsz = sizeof(cmd) };

	return call(group, UAPI_GROUP_GET_STATUS, &cmd);
}

/**
 * try_container() - VFIO_GROUP_SET_CONTAINER
 */
static inline int try_container(int group, int container)
{
	return call(group, UAPI_GROUP_SET_CONTAINER, &container);
}

/**
 * try_device() - VFIO_GROUP_GET_DEVICE_FD
 *
 * Return: the device's descriptor or -errno.
 */
static inline int try_device(int group, const char *bdf)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%s", bdf);
	fd = ioctl(group, UAPI_GROUP_GET_DEVICE_FD, name);

	return fd < 0 ? -errno : fd;
}

#endif
