/* SPDX-License-Identifier: Apache-2.0
 *
 * blame.c - who keeps an IOMMU group from being assigned
 */
#include "kernel/blame.h"

#include "base/str.h"
#include "kernel/inventory.h"
#include "kernel/sysfs.h"
#include "kernel/users.h"
#include "kernel/vfio.h"

/**
 * blame_device() - Does a device keep its group from being assigned?
 * @dev:	It
 * @first:	Nobody else was blamed before
 * @found:	If so it is added as a cause
 */
static bool blame_device(int sysfs, int proc, const struct kernel_device *dev,
			 bool first, struct error *found)
{
	struct error held;

	if (vfio_is_host_driver(dev)) {
		error_cause(found, "device", dev->bdf,
			    "of the same group is with driver %s", dev->driver);
		if (first)
			error_remedy(found, "take it off driver %s: `echo %s > /sys/bus/pci/devices/%s/driver/unbind` as root",
				     dev->driver, dev->bdf, dev->bdf);
		return true;
	}
	if (!dev->vfio ||
	    users_cdev_holders(sysfs, proc, dev, &held) != -EBUSY)
		return false;
	error_cause(found, "device", dev->bdf,
		    "of the same group is held by process %s (%s)",
		    held.causes[0].name, held.causes[0].detail);
	return true;
}

/* blame_siblings() - Which devices of a group keep it from being assigned? */
int blame_siblings(int sysfs, int proc, int group, const char *bdf,
		   struct error *found)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	char path[64];
	int n = 0;

	(void)str_format(path, sizeof(path), "kernel/iommu_groups/%d/devices",
			 group);
	if (group < 0 || sysfs_dir(sysfs, path, &dir) < 0)
		return 0;

	while ((name = sysfs_next(dir))) {
		struct kernel_device dev;

		if (!str_eq(name, bdf) &&
		    inventory_device(sysfs, name, &dev, NULL) == 0 &&
		    blame_device(sysfs, proc, &dev, n == 0, found))
			n++;
	}

	return n;
}

/**
 * unsafe_allowed() - Has the administrator allowed unsafe interrupts?
 * @sysfs:	An open sysfs
 * @module:	Whose parameter it is
 */
static bool unsafe_allowed(int sysfs, const char *module)
{
	char path[96], text[8];

	return str_format(path, sizeof(path),
			  "module/%s/parameters/allow_unsafe_interrupts",
			  module) &&
	       !sysfs_text(sysfs, path, text, sizeof(text)) && text[0] == 'Y';
}

/* blame_permission() - Find out what EPERM of VFIO means */
int blame_permission(int sysfs, int proc, int group, const char *bdf,
		     const char *module, const char *what, struct error *err)
{
	struct error found;

	error_set(&found, -EPERM, ERROR_GROUP_NOT_VIABLE,
		  "%s: group %d belongs to somebody else", what, group);
	if (blame_siblings(sysfs, proc, group, bdf, &found)) {
		if (err)
			*err = found;
		return -EPERM;
	}

	if (!unsafe_allowed(sysfs, module) &&
	    inventory_isolated_msi(sysfs) != ISOLATED_MSI_YES) {
		error_set(err, -EPERM, ERROR_DEVICE_UNSAFE_INTERRUPTS,
			  "%s: the host does not isolate its interrupts", what);
		error_remedy(err, "turn interrupt remapping on, or repeat with allow_unsafe_interrupts and %s.allow_unsafe_interrupts=1",
			     module);
		return -EPERM;
	}

	return error_set(err, -EPERM, ERROR_DEVICE_UNUSABLE,
			 "%s: group %d belongs to somebody whom no process shows: %m",
			 what, group);
}
