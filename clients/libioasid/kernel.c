/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel.c - calls on claimed descriptors, whatever machine they are of
 */
#include <errno.h>
#include <unistd.h>

#include "base/simfd.h"
#include "libioasid/call.h"
#include "libioasid/ioasid.h"

/* call_again() - See call.h. */
int call_again(int fd, unsigned long request, void *arg)
{
	if (errno != ENOTTY || !simfd_is(fd))
		return -1;

	return simfd_ioctl(fd, request, arg);
}

/* ioasid_ioctl() - See ioasid.h. */
int ioasid_ioctl(int fd, unsigned long request, void *arg)
{
	return call_ioctl(fd, request, arg);
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
