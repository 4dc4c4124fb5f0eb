/* SPDX-License-Identifier: Apache-2.0
 *
 * cdev.c - a function's own VFIO cdev, found and explained by sysfs
 */
#include "kernel/cdev.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/inventory.h"
#include "kernel/sysfs.h"
#include "kernel/users.h"
#include "kernel/vfio.h"

/* cdev_open() - Open a function's own cdev */
int cdev_open(int sysfs, const char *folder, const char *bdf, int *ret_fd,
	      struct error *err)
{
	struct kernel_device before, after;
	_cleanup_fd_ int fd = -1;
	struct stat st;
	char path[128];
	int r;

	r = inventory_device(sysfs, bdf, &before, err);
	if (r < 0)
		return r;
	if (!before.cdev)
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_CDEV,
				 "%s is with driver '%s' and has no VFIO cdev",
				 bdf, before.driver);

	(void)str_format(path, sizeof(path), "%s/%s", folder,
			 before.cdev_name);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set(err, -errno, errno == ENOENT
				 ? ERROR_KERNEL_NO_CDEV : ERROR_KERNEL_VFIO,
				 "open '%s' of %s: %m", path, bdf);

	r = inventory_device(sysfs, bdf, &after, err);
	if (r < 0)
		return r;
	if (fstat(fd, &st) || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != before.cdev || after.cdev != before.cdev)
		return error_set(err, -ESTALE, ERROR_KERNEL_VFIO,
				 "'%s' is not the cdev of %s", path, bdf);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/**
 * find_siblings() - Which siblings keep a function from being bound?
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @dev:	The function
 * @found:	A filled error: each is added as a cause
 *
 * Return: how many.
 */
static int find_siblings(int sysfs, int proc, const struct kernel_device *dev,
			 struct error *found)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	char path[64];
	int n = 0;

	(void)str_format(path, sizeof(path), "kernel/iommu_groups/%d/devices",
			 dev->group);
	if (dev->group < 0 || sysfs_dir(sysfs, path, &dir) < 0)
		return 0;

	while ((name = sysfs_next(dir))) {
		struct kernel_device sibling;
		struct error held;

		if (str_eq(name, dev->bdf) ||
		    inventory_device(sysfs, name, &sibling, NULL) < 0)
			continue;
		if (vfio_is_host_driver(&sibling)) {
			error_cause(found, "device", name,
				    "of the same group is with driver %s",
				    sibling.driver);
			n++;
		} else if (sibling.vfio &&
			   users_cdev_holders(sysfs, proc, &sibling, &held) ==
			   -EBUSY) {
			error_cause(found, "device", name,
				    "of the same group is held by process %s "
				    "(%s)", held.causes[0].name,
				    held.causes[0].detail);
			n++;
		}
	}

	return n;
}

/**
 * unsafe_allowed() - Has the administrator allowed unsafe interrupts?
 * @sysfs:	An open sysfs
 */
static bool unsafe_allowed(int sysfs)
{
	char text[8];

	return !sysfs_text(sysfs,
			   "module/iommufd/parameters/allow_unsafe_interrupts",
			   text, sizeof(text)) && text[0] == 'Y';
}

/**
 * not_permitted() - Find out what EPERM of BIND means
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @bdf:	The function
 * @err:	Filled
 *
 * The kernel says EPERM for a group that has another owner, a host driver
 * counting as one, and for interrupts that are not isolated.
 *
 * Return: -EPERM.
 */
static int not_permitted(int sysfs, int proc, const char *bdf,
			 struct error *err)
{
	struct kernel_device dev;
	struct error found;

	if (inventory_device(sysfs, bdf, &dev, NULL) < 0)
		return error_set(err, -EPERM, ERROR_DEVICE_UNUSABLE,
				 "VFIO_DEVICE_BIND_IOMMUFD of %s: %m", bdf);

	error_set(&found, -EPERM, ERROR_GROUP_NOT_VIABLE,
		  "VFIO_DEVICE_BIND_IOMMUFD of %s: group %d belongs to "
		  "somebody else", bdf, dev.group);
	if (find_siblings(sysfs, proc, &dev, &found)) {
		if (err)
			*err = found;
		return -EPERM;
	}

	if (!unsafe_allowed(sysfs) &&
	    inventory_isolated_msi(sysfs) != ISOLATED_MSI_YES)
		return error_set(err, -EPERM, ERROR_DEVICE_UNSAFE_INTERRUPTS,
				 "VFIO_DEVICE_BIND_IOMMUFD of %s: the host "
				 "does not isolate its interrupts", bdf);

	return error_set(err, -EPERM, ERROR_DEVICE_UNUSABLE,
			 "VFIO_DEVICE_BIND_IOMMUFD of %s: group %d belongs to "
			 "somebody whom no process shows: %m", bdf, dev.group);
}

/* cdev_bind() - Bind a function to an iommufd, and say why not */
int cdev_bind(int sysfs, int proc, const char *bdf, int cdev, int iommufd,
	      uint32_t *ret_dev_id, struct error *err)
{
	int r = vfio_bind(bdf, cdev, iommufd, ret_dev_id, err);

	return r == -EPERM ? not_permitted(sysfs, proc, bdf, err) : r;
}
