/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c - calls on descriptors of the kernel that we run on
 */
#include "kernel/call.h"

#include <sys/ioctl.h>
#include <unistd.h>

/* kernel_ioctl() - As ioctl(2) */
int kernel_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

/* kernel_pread() - As pread(2) */
ssize_t kernel_pread(int fd, void *buf, size_t size, off_t at)
{
	return pread(fd, buf, size, at);
}

/* kernel_pwrite() - As pwrite(2) */
ssize_t kernel_pwrite(int fd, const void *buf, size_t size, off_t at)
{
	return pwrite(fd, buf, size, at);
}
