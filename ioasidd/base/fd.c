/* SPDX-License-Identifier: Apache-2.0
 *
 * fd.c - one owner for each file descriptor, visible in the text
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/socket.h of Linux 6.5; not in its uAPI. Carries a descriptor. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* Room for the most descriptors that a message can have, and for its sender's
 * credentials, aligned.
 */
union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(struct ucred)) +
		  CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
};

/* fd_close() - Close a descriptor once, keeping errno */
int fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* the number is free, whatever it says */
	errno = saved;

	return -1;
}

/* fd_count() - How many descriptors this process has open */
int fd_count(void)
{
	int count = 0, r;
	DIR *dir;

	dir = opendir("/proc/self/fd");
	if (!dir)
		return -errno;

	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		if (entry->d_name[0] != '.')
			count++;
	}
	r = errno ? -errno : count - 1;
	closedir(dir);

	return r;
}

/* fd_send() - Send one packet, with descriptors or without */
int fd_send(int sock, const void *data, size_t size, const int *fds,
	    size_t n_fds)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (!size || n_fds > FD_MESSAGE_MAX)
		return -EINVAL;

	if (n_fds) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}

	do {
		n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);

	return n < 0 ? -errno : 0;
}

/**
 * take_control() - Take every descriptor out of the control messages
 * @msg:	As recvmsg(2) filled it
 * @fds:	Room for FD_MESSAGE_MAX; owned by the caller
 * @ret_n:	How many there were
 * @ret_creds:	The sender's credentials; NULL: none may come
 *
 * The kernel gives one SCM_RIGHTS at most; more are added up all the same. What
 * would be too many even for FD_MESSAGE_MAX is closed here.
 *
 * Return: true if there was nothing but SCM_RIGHTS, and the credentials if they
 * are wanted.
 */
static bool take_control(struct msghdr *msg, int *fds, size_t *ret_n,
			 struct ucred *ret_creds)
{
	bool clean = true, wanted = ret_creds;
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		bool rights = c->cmsg_level == SOL_SOCKET &&
			      c->cmsg_type == SCM_RIGHTS;

		if (wanted && c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_CREDENTIALS &&
		    c->cmsg_len == CMSG_LEN(sizeof(*ret_creds))) {
			memcpy(ret_creds, CMSG_DATA(c), sizeof(*ret_creds));
			wanted = false;
			continue;
		}
		clean = clean && rights;
		if (!rights && !(c->cmsg_level == SOL_SOCKET &&
				 c->cmsg_type == SCM_PIDFD))
			continue;

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			       sizeof(fd));
			if (n < FD_MESSAGE_MAX) {
				fds[n++] = fd;
			} else {
				(void)fd_close(fd);
				clean = false;
			}
		}
	}

	*ret_n = n;
	return clean && !wanted;
}

/**
 * fd_receive_from() - Receive one packet with exactly as many descriptors as
 *		       wanted, and who has sent it
 *
 * The control buffer is given to the kernel at just the length that @n_fds
 * needs, without CMSG_SPACE()'s padding, in which another descriptor would find
 * room; credentials are written before them. What does not fit the kernel drops
 * uninstalled, and says MSG_CTRUNC. It says the same when an LSM or our limit of
 * open files stopped it half way: then those before have been installed and are
 * closed here.
 */
ssize_t fd_receive_from(int sock, void *data, size_t size, int *fds,
			size_t n_fds, size_t *ret_n_fds,
			struct ucred *ret_creds)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int got[FD_MESSAGE_MAX];
	union control control;
	size_t n_got = 0, room = 0;
	bool clean;
	ssize_t n;

	if (!ret_n_fds)
		n_fds = 0;
	if (!size || n_fds > FD_MESSAGE_MAX)
		return -EINVAL;

	if (ret_creds)
		room += CMSG_SPACE(sizeof(*ret_creds));
	if (n_fds)
		room += CMSG_LEN(n_fds * sizeof(int));
	do {
		msg.msg_control = room ? &control : NULL;
		msg.msg_controllen = room;
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;

	clean = take_control(&msg, got, &n_got, ret_creds);
	if (n > 0) {
		if (msg.msg_flags & MSG_CTRUNC || !clean || n_got > n_fds)
			n = -EPROTO;
		else if (msg.msg_flags & MSG_TRUNC)
			n = -EMSGSIZE;
	}
	if (n <= 0) {
		while (n_got)
			(void)fd_close(got[--n_got]);
	}

	if (n >= 0 && ret_n_fds) {
		if (n_got)
			memcpy(fds, got, n_got * sizeof(int));
		*ret_n_fds = n_got;
	}

	return n;
}

/* fd_receive() - Receive one packet with exactly as many descriptors as wanted */
ssize_t fd_receive(int sock, void *data, size_t size, int *fds, size_t n_fds,
		   size_t *ret_n_fds)
{
	return fd_receive_from(sock, data, size, fds, n_fds, ret_n_fds, NULL);
}

/* fd_peek() - Look at the next packet: without room for descriptors the kernel
 * says no more than that there are some (MSG_CTRUNC).
 */
ssize_t fd_peek(int sock, void *data, size_t size, bool *ret_fds)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, MSG_PEEK | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_fds = msg.msg_flags & MSG_CTRUNC;
	return n;
}

/* fd_read_file() - Read a whole small file */
ssize_t fd_read_file(int dirfd, const char *path, char *buf, size_t size)
{
	_cleanup_fd_ int fd = -1;
	size_t have = 0;

	buf[0] = '\0';
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;

	/* Up to @size bytes: the last one only tells that there was more. */
	while (have < size) {
		ssize_t n = read(fd, buf + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			buf[0] = '\0';
			return -errno;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}

	if (have == size) {
		buf[size - 1] = '\0';
		return -EFBIG;
	}
	buf[have] = '\0';

	return (ssize_t)have;
}
