/* SPDX-License-Identifier: Apache-2.0
 *
 * cdev.c - devices of a transfer lease: bind, attach; devices and KVM
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/uapi.h"
#include "libioasid/explain.h"
#include "libioasid/fail.h"
#include "libioasid/ioasid.h"

/* ioasid_cdev_bind() - See ioasid.h. */
int ioasid_cdev_bind(int cdev, int iommufd, uint32_t *ret_device,
		     struct ioasid_error *err)
{
	const char *call = "VFIO_DEVICE_BIND_IOMMUFD";
	struct uapi_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	int error;

	if (ioasid_ioctl(cdev, UAPI_DEVICE_BIND_IOMMUFD, &bind) == 0) {
		if (ret_device)
			*ret_device = bind.out_devid;
		return 0;
	}
	error = errno;
	if (!err || explain_descriptor(error, call, cdev, "a VFIO device", err))
		return -error;

	switch (error) {
	case EINVAL:
		return fail_set(err, -error, IOASID_ERROR_IN_USE,
				"the device is bound already, here or in "
				"another process");
	case EPERM:
		return fail_set(err, -error, IOASID_ERROR_IN_USE,
				"a device of its group is with another driver "
				"or context, or its interrupts are not "
				"isolated");
	case EBADF:
	case EBADFD:
		return fail_set(err, -error, IOASID_ERROR_ARGUMENT,
				"descriptor %d is not an iommufd", iommufd);
	default:
		return fail_set(err, -error, IOASID_ERROR_KERNEL, "%s: %m",
				call);
	}
}

/* ioasid_cdev_attach() - See ioasid.h. */
int ioasid_cdev_attach(int cdev, uint32_t ioas, struct ioasid_error *err)
{
	struct uapi_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = ioas,
	};

	if (ioasid_ioctl(cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &attach) < 0)
		return explain_attach(errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
				      cdev, "a VFIO device", ioas, err);

	return 0;
}

/* ioasid_cdev_detach() - See ioasid.h. */
int ioasid_cdev_detach(int cdev, struct ioasid_error *err)
{
	struct uapi_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	if (ioasid_ioctl(cdev, UAPI_DEVICE_DETACH_IOMMUFD_PT, &detach) < 0)
		return explain_attach(errno, "VFIO_DEVICE_DETACH_IOMMUFD_PT",
				      cdev, "a VFIO device", 0, err);

	return 0;
}
