/* SPDX-License-Identifier: Apache-2.0
 *
 * simfd.h - calls on a descriptor that stands for a file in another process
 *
 * DOC: Theory of Operation
 *
 * The descriptors of a simulated machine are SOCK_SEQPACKET sockets. ioctl(2),
 * pread(2) and pwrite(2) mean nothing on them; these functions do what those
 * would. The process at the other end is told the number of the call and the
 * address of its argument, and reads and writes our memory itself
 * (process_vm_readv(2)), as a kernel would: so nothing here knows what the calls
 * mean. Each message carries one end of a socketpair of its own for the answer,
 * so that several processes and threads may use a descriptor at once.
 *
 * A machine that is not root's is made our ptracer where Yama is on, which is the
 * leave to do that (PR_SET_PTRACER).
 */
#ifndef IOASIDD_BASE_SIMFD_H
#define IOASIDD_BASE_SIMFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum simfd_op {
	SIMFD_IOCTL = 1,
	SIMFD_PREAD,
	SIMFD_PWRITE,
};

#define SIMFD_MAGIC 0x494f5344u /* "IOSD" */

/**
 * struct simfd_request - A call; one descriptor comes with it: where to answer
 * @magic:	SIMFD_MAGIC
 * @op:		enum simfd_op
 * @number:	Of the ioctl; or offset in the file, bytes
 * @address:	Of the argument, or of the buffer, in the caller
 * @length:	Of the buffer, bytes
 */
struct simfd_request {
	uint32_t magic;
	uint32_t op;
	uint64_t number;
	uint64_t address;
	uint64_t length;
};

/**
 * struct simfd_reply - Its answer
 * @result:	What the call returns, or -errno
 */
struct simfd_reply {
	int64_t result;
};

/**
 * struct simfd_reply_fd - The answer to an ioctl that has made a descriptor,
 *			   which comes with it
 * @result:	As above
 * @offset:	Where in the argument its number belongs, an int32_t: only the
 *		caller knows it. Within what the argument says of its size, in
 *		its first 4 bytes
 */
struct simfd_reply_fd {
	int64_t result;
	uint64_t offset;
};

/* simfd_is() - Is the descriptor a socket, and so of a simulated machine? */
bool simfd_is(int fd);

/* simfd_ioctl() - As ioctl(2): -1 with errno. ENODEV: the machine is no more. */
int simfd_ioctl(int fd, unsigned long request, void *arg);

ssize_t simfd_pread(int fd, void *buf, size_t size, off_t at);
ssize_t simfd_pwrite(int fd, const void *buf, size_t size, off_t at);

#endif
