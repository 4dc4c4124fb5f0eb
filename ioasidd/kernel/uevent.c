/* SPDX-License-Identifier: Apache-2.0
 *
 * uevent.c - the kernel's announcements of devices
 */
#include "kernel/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* UEVENT_BUFFER_SIZE of include/linux/kobject.h (not in uAPI) is 2,048, and the
 * header line comes before that.
 */
#define MESSAGE_MAX 8192

/* 4,096 functions that appear at once make some 8 MiB of messages. */
#define RECEIVE_BUFFER (16 << 20)

#define KERNELS_GROUP 1

/* uevent_open() - Listen */
int uevent_open(int *ret_fd, struct error *err)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = KERNELS_GROUP,
	};
	_cleanup_fd_ int fd = -1;
	int size = RECEIVE_BUFFER;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    NETLINK_KOBJECT_UEVENT);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "open uevent socket: %m");
	/* Without CAP_NET_ADMIN it stays small: then we rescan more often. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "listen for uevents: %m");

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/**
 * struct fields - What we look at in a message; point into it
 */
struct fields {
	const char *action, *path, *subsystem, *slot;
};

/**
 * split() - Find the fields of a message
 * @message:	The message
 * @size:	Its length
 * @ret:	The fields; NULL for those that are not there
 *
 * Return: 0; -EBADMSG if a string is not ended or the header is none.
 */
static int split(const char *message, size_t size, struct fields *ret)
{
	const char *p = message, *end = message + size;

	*ret = (struct fields){ 0 };
	/* The last byte ends the last string, so all of them are ended. */
	if (!size || end[-1] || !strchr(message, '@'))
		return -EBADMSG;

	for (p += strlen(p) + 1; p < end; p += strlen(p) + 1) {
		const char *value;

		if ((value = str_starts(p, "ACTION=")))
			ret->action = value;
		else if ((value = str_starts(p, "DEVPATH=")))
			ret->path = value;
		else if ((value = str_starts(p, "SUBSYSTEM=")))
			ret->subsystem = value;
		else if ((value = str_starts(p, "PCI_SLOT_NAME=")))
			ret->slot = value;
	}

	return ret->action && ret->path && ret->subsystem ? 0 : -EBADMSG;
}

/**
 * path_bdf() - Which PCI function is a path of sysfs in?
 * @path:	"/devices/pci0000:00/0000:00:10.0/0000:01:00.0/vfio-dev/vfio0"
 * @ret:	The last component that is an address; empty if none is
 */
static void path_bdf(const char *path, char ret[BDF_SIZE])
{
	ret[0] = '\0';
	while (*path) {
		char component[BDF_SIZE], bdf[BDF_SIZE];
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n < sizeof(component)) {
			memcpy(component, path, n);
			component[n] = '\0';
			if (!bdf_parse(component, bdf))
				(void)str_copy(ret, BDF_SIZE, bdf);
		}
		path += n;
	}
}

/* uevent_parse() - Understand one message */
int uevent_parse(const char *message, size_t size, struct kernel_uevent *ret)
{
	struct kernel_uevent event = { 0 };
	struct fields fields;
	int r;

	r = split(message, size, &fields);
	if (r < 0)
		return r;
	if (!str_eq(fields.subsystem, "pci") &&
	    !str_eq(fields.subsystem, "vfio-dev") &&
	    !str_eq(fields.subsystem, "iommu"))
		return -ENOMSG;
	if (!str_copy(event.action, sizeof(event.action), fields.action) ||
	    !str_copy(event.subsystem, sizeof(event.subsystem),
		      fields.subsystem))
		return -EBADMSG;
	if (fields.slot && bdf_parse(fields.slot, event.bdf) < 0)
		return -EBADMSG;
	/* An IOMMU of virtio is named like a function and is none. */
	if (!fields.slot && !str_eq(fields.subsystem, "iommu"))
		path_bdf(fields.path, event.bdf);

	*ret = event;
	return 0;
}

/**
 * receive() - Receive one message of the kernel's
 * @fd:		The socket
 * @message:	Where it goes
 * @room:	Room there
 *
 * Anybody with CAP_NET_ADMIN may send to the group, and any process to us
 * alone; the kernel's messages come from port 0 and to the group. SO_PASSCRED
 * would tell no more than that.
 *
 * Return: its length; 0 if it is not the kernel's, or does not fit; -errno.
 */
static ssize_t receive(int fd, char *message, size_t room)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = message, .iov_len = room };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n;

	n = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (msg.msg_namelen != sizeof(from) ||
	    from.nl_family != AF_NETLINK || from.nl_pid ||
	    from.nl_groups != KERNELS_GROUP || msg.msg_flags & MSG_TRUNC)
		return 0;

	return n;
}

/* uevent_next() - Take the next announcement that concerns us */
int uevent_next(int fd, struct kernel_uevent *ret, struct error *err)
{
	char message[MESSAGE_MAX];

	for (;;) {
		ssize_t n = receive(fd, message, sizeof(message));

		if (n == -ENOBUFS) {
			*ret = (struct kernel_uevent){ .rescan = true };
			return 0;
		}
		if (n < 0)
			return error_set(err, (int)n, ERROR_KERNEL_SYSTEM,
					 "receive a uevent: %m");
		if (!uevent_parse(message, (size_t)n, ret))
			return 0;
	}
}
