/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.c - calls on claimed descriptors, whatever machine they are of
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/simfd.h"
#include "libioasid/ioasid.h"

/* ioasid_ioctl() - See ioasid.h.
 *
 * A real descriptor costs one call: whether it is one is only looked at when
 * the kernel does not know the request. Of a socket it knows none of iommufd's
 * and VFIO's, and says so before it looks at the argument.
 */
int ioasid_ioctl(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	if (r < 0 && errno == ENOTTY && simfd_is(fd))
		return simfd_ioctl(fd, request, arg);

	return r;
}

/* ioasid_pread() - See ioasid.h. */
ssize_t ioasid_pread(int fd, void *buf, size_t size, off_t at)
{
	return simfd_is(fd) ? simfd_pread(fd, buf, size, at) :
			      pread(fd, buf, size, at);
}

/* ioasid_pwrite() - See ioasid.h. */
ssize_t ioasid_pwrite(int fd, const void *buf, size_t size, off_t at)
{
	return simfd_is(fd) ? simfd_pwrite(fd, buf, size, at) :
			      pwrite(fd, buf, size, at);
}
