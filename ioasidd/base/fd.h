/* SPDX-License-Identifier: Apache-2.0
 *
 * fd.h - one owner for each file descriptor, visible in the text
 */
#ifndef IOASIDD_BASE_FD_H
#define IOASIDD_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/error.h"

/* The kernel's limit of descriptors in one message (SCM_MAX_FD in
 * include/net/scm.h of Linux; not in its uAPI).
 */
#define FD_MESSAGE_MAX 253

/**
 * fd_close() - Close a descriptor once, keeping errno
 * @fd:		-1 for none
 *
 * EINTR is not retried: Linux has released the number by then.
 *
 * Return: -1, to be assigned.
 */
int fd_close(int fd);

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

/* A local descriptor that is closed when it goes out of scope. */
#define _cleanup_fd_ __attribute__((cleanup(fd_closep)))

/* Hand a descriptor on: the variable is empty afterwards. */
#define TAKE_FD(fd)                  \
	({                           \
		int *_taken = &(fd); \
		int _fd = *_taken;   \
		*_taken = -1;        \
		_fd;                 \
	})

/**
 * fd_count() - How many descriptors this process has open
 *
 * Return: the count without the one used for counting, or -errno.
 */
int fd_count(void);

/**
 * fd_send() - Send one packet, with descriptors or without
 * @sock:	Connected AF_UNIX SOCK_SEQPACKET or SOCK_DGRAM socket; borrowed
 * @data:	The packet
 * @size:	Its length, bytes, not 0
 * @fds:	Descriptors to send along; borrowed
 * @n_fds:	How many, at most FD_MESSAGE_MAX
 *
 * Never blocks, never raises SIGPIPE. All or nothing. Once it has succeeded
 * the receiver counts as having the descriptors: a peek installs them.
 *
 * Return: 0; -EAGAIN if the peer does not read; -EPIPE or -ECONNRESET if it is
 * gone; -EMSGSIZE if the packet is longer than the socket's buffer; -EINVAL for
 * too many descriptors; other sendmsg(2) errors.
 */
int fd_send(int sock, const void *data, size_t size, const int *fds,
	    size_t n_fds);

/**
 * fd_receive() - Receive one packet with exactly as many descriptors as wanted
 * @sock:	AF_UNIX SOCK_SEQPACKET or SOCK_DGRAM socket; borrowed
 * @data:	Where the packet goes
 * @size:	Room there, bytes
 * @fds:	Where descriptors go, close-on-exec; the caller's on success
 * @n_fds:	Room there
 * @ret_n_fds:	How many came. NULL: none may come
 *
 * The one place that receives descriptors, for daemon, helper and clients; those
 * of strangers come by receive.h, from a child, and from there by this. A kernel
 * or LSM that drops some says so by MSG_CTRUNC and by nothing else.
 * What is not handed to the caller is closed before returning. No more than
 * @n_fds descriptors are ever installed, not even for a moment: a stranger
 * cannot fill the table of a process whose other threads need it. Waits if
 * @sock is blocking.
 *
 * Return: length of the packet; 0 at end of file, and for an empty packet,
 * which nobody of ours sends; -EMSGSIZE if the packet was
 * longer than @size; -EPROTO if descriptors were cut off, or more came than
 * there is room for, or there came other control messages; -EAGAIN and other
 * recvmsg(2) errors. After -EMSGSIZE and -EPROTO the packet is gone, the
 * connection still in step.
 */
ssize_t fd_receive(int sock, void *data, size_t size, int *fds, size_t n_fds,
		   size_t *ret_n_fds);

/**
 * fd_peek() - Look at the next packet, which stays where it is
 * @sock:	As for fd_receive()
 * @data:	Where the beginning of it goes
 * @size:	Room there, bytes
 * @ret_fds:	Descriptors are with it
 *
 * None of them is installed.
 *
 * Return: its whole length; as fd_receive().
 */
ssize_t fd_peek(int sock, void *data, size_t size, bool *ret_fds);

/**
 * fd_receive_from() - As fd_receive(), and who has sent it
 * @ret_creds:	As the kernel says it; @sock has SO_PASSCRED set. Written on
 *		success, and it may be on failure. NULL: as fd_receive()
 *
 * Return: as fd_receive(); -EPROTO too if there were no credentials.
 */
ssize_t fd_receive_from(int sock, void *data, size_t size, int *fds,
			size_t n_fds, size_t *ret_n_fds,
			struct ucred *ret_creds);

/**
 * fd_read_file() - Read a whole small file, such as one of sysfs or procfs
 * @dirfd:	Directory, or AT_FDCWD
 * @path:	The file
 * @buf:	Where it goes, always ended with a NUL
 * @size:	Room there, the NUL included
 *
 * Return: bytes read without the NUL; -EFBIG if there was more, @buf then holds
 * the beginning; -errno.
 */
ssize_t fd_read_file(int dirfd, const char *path, char *buf, size_t size);

#endif
