/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h - calls on the descriptors of VFIO devices and iommufds
 *
 * The one thing about such a call that differs between machines is how it gets
 * there. kernel/call.c makes system calls; it is linked into ioasidd.
 * kernel/sim/call.c sends messages to the simulated machine; it is linked into
 * ioasidd-sim in its place. What is asked and how the answer is understood
 * (iommufd.c, vfio.c) is the same for both.
 */
#ifndef IOASIDD_KERNEL_CALL_H
#define IOASIDD_KERNEL_CALL_H

#include <sys/types.h>

/* kernel_ioctl() - As ioctl(2): -1 with errno. */
int kernel_ioctl(int fd, unsigned long request, void *arg);

/* kernel_pread() - As pread(2). */
ssize_t kernel_pread(int fd, void *buf, size_t size, off_t at);

/* kernel_pwrite() - As pwrite(2). */
ssize_t kernel_pwrite(int fd, const void *buf, size_t size, off_t at);

#endif
