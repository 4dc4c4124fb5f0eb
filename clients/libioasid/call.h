/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h - a call on a descriptor of whatever machine, where each instruction
 *	    counts: what ioasid_ioctl() does, in its caller
 */
#ifndef LIBIOASID_CALL_H
#define LIBIOASID_CALL_H

#include <sys/ioctl.h>

/**
 * call_again() - A call that ioctl(2) has refused, if it was not for ioctl(2)
 * @fd, @request, @arg: As they were
 *
 * Return: as ioctl(2): -1 with the errno that there was, or of the simulated
 * machine's.
 */
int call_again(int fd, unsigned long request, void *arg);

/**
 * call_ioctl() - As ioasid_ioctl()
 *
 * A real descriptor costs one call: whether it is one is only looked at when
 * the kernel does not know the request. Of a socket it knows none of iommufd's
 * and VFIO's, and says so before it looks at the argument.
 *
 * Return: as ioctl(2).
 */
static inline int call_ioctl(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? call_again(fd, request, arg) : r;
}

#endif
