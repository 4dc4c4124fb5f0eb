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
#include "kernel/blame.h"
#include "kernel/inventory.h"
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
 * not_permitted() - Find out what EPERM of BIND means
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @bdf:	The function
 * @err:	Filled
 *
 * Return: -EPERM, as blame_permission().
 */
static int not_permitted(int sysfs, int proc, const char *bdf,
			 struct error *err)
{
	struct kernel_device dev;
	char what[64];

	(void)str_format(what, sizeof(what), "VFIO_DEVICE_BIND_IOMMUFD of %s",
			 bdf);
	if (inventory_device(sysfs, bdf, &dev, NULL) < 0)
		return error_set(err, -EPERM, ERROR_DEVICE_UNUSABLE, "%s: %m",
				 what);
	return blame_permission(sysfs, proc, dev.group, bdf, "iommufd", what,
				err);
}

/* cdev_bind() - Bind a function to an iommufd, and say why not */
int cdev_bind(int sysfs, int proc, const char *bdf, int cdev, int iommufd,
	      uint32_t *ret_dev_id, struct error *err)
{
	int r = vfio_bind(bdf, cdev, iommufd, ret_dev_id, err);

	return r == -EPERM ? not_permitted(sysfs, proc, bdf, err) : r;
}
