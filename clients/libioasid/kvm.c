/* SPDX-License-Identifier: Apache-2.0
 *
 * kvm.c - tell KVM which devices a virtual machine has
 *
 * These are calls on KVM's descriptors, which are never simulated: ioctl(2)
 * itself.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/uapi.h"
#include "libioasid/explain.h"
#include "libioasid/fail.h"
#include "libioasid/ioasid.h"

/* kvm_failed() - What both calls can be refused for. Return: -@error. */
static int kvm_failed(int error, const char *call, struct ioasid_error *err)
{
	if (error == EIO)
		return fail_set(err, -EIO, IOASID_ERROR_ARGUMENT,
				"the virtual machine is that of another "
				"process");

	return fail_set(err, -error, IOASID_ERROR_KERNEL, "%s: %m", call);
}

/**
 * create_device() - Make a machine's VFIO device
 * @vm:		The machine
 * @ret_fd:	The device; close-on-exec, as KVM makes it
 *
 * Return: 0 or -errno.
 */
static int create_device(int vm, int *ret_fd, struct ioasid_error *err)
{
	struct uapi_kvm_create_device create = {
		.type = UAPI_KVM_DEV_TYPE_VFIO,
	};

	if (ioctl(vm, UAPI_KVM_CREATE_DEVICE, &create) == 0) {
		*ret_fd = (int)create.fd;
		return 0;
	}

	switch (errno) {
	case EBUSY:
		return fail_set(err, -EBUSY, IOASID_ERROR_IN_USE,
				"the virtual machine has its VFIO device: pass "
				"the descriptor that it was made with");
	case ENODEV:
		return fail_set(err, -ENODEV, IOASID_ERROR_UNSUPPORTED,
				"this kernel's KVM knows no VFIO "
				"(CONFIG_KVM_VFIO)");
	case EBADF:
		return fail_set(err, -EBADF, IOASID_ERROR_ARGUMENT,
				"descriptor %d is not open", vm);
	case ENOTTY:
	case EINVAL:
		return fail_set(err, -errno, IOASID_ERROR_UNSUPPORTED,
				"descriptor %d is no virtual machine of KVM",
				vm);
	default:
		return kvm_failed(errno, "KVM_CREATE_DEVICE", err);
	}
}

/**
 * set_file() - Add a device, or remove it
 * @kvm_device:	The machine's VFIO device
 * @attr:	UAPI_KVM_DEV_VFIO_FILE_*
 *
 * Return: 0 or -errno.
 */
static int set_file(int kvm_device, uint64_t attr, int cdev,
		    struct ioasid_error *err)
{
	int32_t file = cdev;
	struct uapi_kvm_device_attr set = {
		.group = UAPI_KVM_DEV_VFIO_FILE,
		.attr = attr,
		.addr = (uintptr_t)&file,
	};

	if (ioctl(kvm_device, UAPI_KVM_SET_DEVICE_ATTR, &set) == 0)
		return 0;

	switch (errno) {
	case EEXIST:
		return fail_set(err, -EEXIST, IOASID_ERROR_IN_USE,
				"the virtual machine has the device already");
	case ENOENT:
		return fail_set(err, -ENOENT, IOASID_ERROR_NO_OBJECT,
				"the virtual machine does not have the device");
	case EINVAL:
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"descriptor %d is no VFIO device; those of a "
				"simulated machine are none to KVM", cdev);
	case EBADF:
		return fail_set(err, -EBADF, IOASID_ERROR_ARGUMENT,
				"descriptor %d or %d is not open", kvm_device,
				cdev);
	case ENOTTY:
	case ENXIO:
	case EPERM:
		return fail_set(err, -errno, IOASID_ERROR_UNSUPPORTED,
				"descriptor %d is no VFIO device of KVM",
				kvm_device);
	default:
		return kvm_failed(errno, "KVM_SET_DEVICE_ATTR", err);
	}
}

/* ioasid_kvm_add() - See ioasid.h. */
int ioasid_kvm_add(int vm, int *kvm_device, int cdev, struct ioasid_error *err)
{
	_cleanup_fd_ int made = -1;
	int r;

	if (*kvm_device < 0) {
		r = create_device(vm, &made, err);
		if (r < 0)
			return r;
	}

	r = set_file(made < 0 ? *kvm_device : made, UAPI_KVM_DEV_VFIO_FILE_ADD,
		     cdev, err);
	if (r < 0)
		return r;

	if (made >= 0)
		*kvm_device = TAKE_FD(made);
	return 0;
}

/* ioasid_kvm_remove() - See ioasid.h. */
int ioasid_kvm_remove(int kvm_device, int cdev, struct ioasid_error *err)
{
	return set_file(kvm_device, UAPI_KVM_DEV_VFIO_FILE_DEL, cdev, err);
}

/* --- POWER --- */

/* ioasid_kvm_tce_new() - See ioasid.h. */
int ioasid_kvm_tce_new(int vm, uint64_t liobn,
		       const struct ioasid_tce_window *window, int *ret_table,
		       struct ioasid_error *err)
{
	const uint32_t shift = window->page_shift;
	struct uapi_kvm_create_spapr_tce_64 create = {
		.liobn = liobn,
		.page_shift = shift,
		.offset = shift < 64 ? window->start >> shift : 0,
		.size = shift < 64 ? window->size >> shift : 0,
	};
	int fd;

	if (!create.size || create.offset << shift != window->start ||
	    create.size << shift != window->size)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a window consists of whole pages");
	fd = ioctl(vm, UAPI_KVM_CREATE_SPAPR_TCE_64, &create);
	if (fd >= 0) {
		*ret_table = fd;
		return 0;
	}
	switch (errno) {
	case EBUSY:
		return fail_set(err, -EBUSY, IOASID_ERROR_IN_USE,
				"the virtual machine has a table of that number");
	case ENOTTY:
	case EINVAL:
		return fail_set(err, -errno, IOASID_ERROR_UNSUPPORTED,
				"descriptor %d is no virtual machine of a KVM of "
				"POWER, or the table cannot be so", vm);
	default:
		return kvm_failed(errno, "KVM_CREATE_SPAPR_TCE_64", err);
	}
}

/* ioasid_kvm_tce_link() - See ioasid.h. */
int ioasid_kvm_tce_link(int kvm_device, int group, int table,
			struct ioasid_error *err)
{
	struct uapi_kvm_vfio_spapr_tce link = {
		.groupfd = group,
		.tablefd = table,
	};
	struct uapi_kvm_device_attr set = {
		.group = UAPI_KVM_DEV_VFIO_FILE, /* number of _GROUP, too */
		.attr = UAPI_KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE,
		.addr = (uintptr_t)&link,
	};

	if (ioctl(kvm_device, UAPI_KVM_SET_DEVICE_ATTR, &set) == 0)
		return 0;
	switch (errno) {
	case ENOENT:
		return fail_set(err, -ENOENT, IOASID_ERROR_NO_OBJECT,
				"the virtual machine does not have the group");
	case EINVAL:
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"no window of the group is as the table; the "
				"default one is there once something was mapped "
				"or unmapped in the container");
	case EBADF:
		return fail_set(err, -EBADF, IOASID_ERROR_ARGUMENT,
				"descriptor %d, %d or %d is not open", kvm_device,
				group, table);
	case ENXIO:
		return fail_set(err, -ENXIO, IOASID_ERROR_UNSUPPORTED,
				"this KVM has no tables of POWER");
	default:
		return kvm_failed(errno, "KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE",
				  err);
	}
}
