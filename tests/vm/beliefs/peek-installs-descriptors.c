/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that is peeked at is received: its descriptors are installed
 *
 * And again when it is read. So a descriptor counts as handed over once it was
 * sent.
 */
#include "belief.h"

#include <sys/socket.h>

/**
 * receive() - Receive one descriptor
 *
 * Return: it; -1 if none came.
 */
static int receive(int sock, int flags)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC) != 1)
		broken("recvmsg: %s", strerror(errno));
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));

	return fd;
}

int main(void)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int ends[2], fd = open_iommufd(), peeked, read_;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		broken("socketpair: %s", strerror(errno));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	if (sendmsg(ends[0], &msg, 0) != 1)
		broken("sendmsg: %s", strerror(errno));

	peeked = receive(ends[1], MSG_PEEK);
	if (peeked < 0)
		changed("MSG_PEEK installs no descriptor");
	(void)new_ioas(peeked); /* it works */
	read_ = receive(ends[1], 0);
	if (read_ < 0 || read_ == peeked)
		changed("after MSG_PEEK no second descriptor is installed");

	return 0;
}
