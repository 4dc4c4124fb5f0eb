/* SPDX-License-Identifier: Apache-2.0
 *
 * netdev.c - network interfaces of a device, in every network namespace
 */
#include "kernel/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/sysfs.h"

/* An answer in parts; the kernel makes none longer than this (NLMSG_GOODSIZE
 * and 32 KiB in net/netlink/af_netlink.c).
 */
#define PART_MAX 32768

#define NAMESPACE_SIZE 64 /* "net:[4026531840]" */

/**
 * struct netdev - An interface
 * @index:	Its number, in its namespace
 * @name:	Its name
 * @ours:	It belongs to one of the devices
 * @up:		IFF_UP
 * @address:	It has one
 * @master:	Number of the interface it is a port of; 0 if none
 * @lower:	Number of the interface it is made on (VLAN, macvlan); 0 if
 *		none, or if that is in another namespace
 */
struct netdev {
	int index;
	char name[IFNAMSIZ];
	bool ours, up, address;
	int master, lower;
};

/**
 * struct netdevs - Those of one namespace
 * @parents:	Names of the devices
 * @items:	The interfaces, @n of them
 */
struct netdevs {
	const struct strv *parents;
	struct netdev *items;
	size_t n;
};

/**
 * read_attribute() - Take one attribute of an interface
 * @a:		The attribute
 * @dev:	Filled
 * @parents:	Names of the devices
 *
 * Source: IFLA_* of rtnetlink(7); PARENT_DEV_NAME since Linux 5.14.
 */
static void read_attribute(const struct rtattr *a, struct netdev *dev,
			   const struct strv *parents)
{
	size_t size = RTA_PAYLOAD(a);
	const char *data = RTA_DATA(a);
	bool text = size && !data[size - 1];

	if (a->rta_type == IFLA_MASTER && size >= sizeof(int))
		memcpy(&dev->master, data, sizeof(int));
	else if (a->rta_type == IFLA_LINK && size >= sizeof(int))
		memcpy(&dev->lower, data, sizeof(int));
	else if (a->rta_type == IFLA_IFNAME && text)
		(void)str_copy(dev->name, sizeof(dev->name), data);
	else if (a->rta_type == IFLA_PARENT_DEV_NAME && text)
		dev->ours = strv_has(parents, data);
}

/**
 * add_link() - Take an interface
 * @message:	RTM_NEWLINK
 * @list:	Where to
 *
 * Return: 0 or -ENOMEM.
 */
static int add_link(struct nlmsghdr *message, struct netdevs *list)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	struct netdev dev = { .index = info->ifi_index,
			      .up = info->ifi_flags & IFF_UP };
	int left = (int)NLMSG_PAYLOAD(message, sizeof(*info));
	bool elsewhere = false;
	struct netdev *items;

	for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		read_attribute(a, &dev, list->parents);
		elsewhere = elsewhere || a->rta_type == IFLA_LINK_NETNSID;
	}
	if (elsewhere || dev.lower == dev.index)
		dev.lower = 0;

	items = reallocarray(list->items, list->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n++] = dev;

	return 0;
}

/**
 * add_address() - Note that an interface has an address
 * @message:	RTM_NEWADDR
 * @list:	The interfaces
 */
static void add_address(struct nlmsghdr *message, struct netdevs *list)
{
	const struct ifaddrmsg *info = NLMSG_DATA(message);

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].index == (int)info->ifa_index)
			list->items[i].address = true;
}

/**
 * take() - Take what one part of an answer says
 * @part:	The part
 * @size:	Its length, bytes
 * @list:	Filled
 *
 * Return: 1 at the end of the answer; 0 if there is more; -errno.
 */
static int take(void *part, size_t size, struct netdevs *list)
{
	int left = (int)size, r;

	for (struct nlmsghdr *m = part; NLMSG_OK(m, (unsigned int)left);
	     m = NLMSG_NEXT(m, left)) {
		switch (m->nlmsg_type) {
		case NLMSG_DONE:
			return 1;
		case NLMSG_ERROR:
			if (m->nlmsg_len < NLMSG_LENGTH(sizeof(int)))
				return -EBADMSG;
			r = ((struct nlmsgerr *)NLMSG_DATA(m))->error;
			return r ? r : 1;
		case RTM_NEWLINK:
			if (m->nlmsg_len <
			    NLMSG_LENGTH(sizeof(struct ifinfomsg)))
				return -EBADMSG;
			r = add_link(m, list);
			if (r < 0)
				return r;
			break;
		case RTM_NEWADDR:
			if (m->nlmsg_len <
			    NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
				return -EBADMSG;
			add_address(m, list);
			break;
		default:
			break;
		}
	}

	return 0;
}

/**
 * dump() - Ask for all of something and take the answer
 * @sock:	rtnetlink
 * @type:	RTM_GETLINK or RTM_GETADDR
 * @list:	Filled
 *
 * Return: 0 or -errno.
 */
static int dump(int sock, uint16_t type, struct netdevs *list)
{
	_cleanup_free_ char *part = malloc(PART_MAX);
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info; /* longer than ifaddrmsg, all zero */
	} ask = {
		.head = { .nlmsg_len = sizeof(ask),
			  .nlmsg_type = type,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	int r = 0;

	if (!part)
		return -ENOMEM;
	if (send(sock, &ask, sizeof(ask), 0) < 0)
		return -errno;

	while (!r) {
		ssize_t n = recv(sock, part, PART_MAX, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n > PART_MAX)
			return -EMSGSIZE;
		r = take(part, (size_t)n, list);
	}

	return r < 0 ? r : 0;
}

/**
 * open_rtnetlink() - Open rtnetlink of the calling thread's namespace
 *
 * Return: the socket, with a limit of a few seconds on waiting; -errno.
 */
static int open_rtnetlink(void)
{
	struct timeval limit = { .tv_sec = 5 };
	int sock;

	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (sock < 0)
		return -errno;
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));

	return sock;
}

/**
 * entered() - Open rtnetlink of another namespace; a thread's whole life
 * @data:	In: descriptor of the namespace. Out: what open_rtnetlink() said
 *
 * A thread enters and never returns: its namespace ends with it, and the socket
 * stays in the one it was made in.
 */
static void *entered(void *data)
{
	int *fd = data;

	*fd = setns(*fd, CLONE_NEWNET) ? -errno : open_rtnetlink();

	return NULL;
}

/**
 * open_in() - Open rtnetlink of the namespace of a process
 * @pid:	/proc/<pid>
 *
 * Return: the socket or -errno.
 */
static int open_in(int pid)
{
	_cleanup_fd_ int ns = -1;
	pthread_t thread;
	int result, r;

	ns = openat(pid, "ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return -errno;
	result = ns;
	r = pthread_create(&thread, NULL, entered, &result);
	if (r)
		return -r;
	(void)pthread_join(thread, NULL);

	return result;
}

/**
 * upper_of() - Which interface is made on another one?
 * @list:	Of one namespace
 * @dev:	The other one
 *
 * Return: the first; NULL if none.
 */
static const struct netdev *upper_of(const struct netdevs *list,
				     const struct netdev *dev)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].lower == dev->index)
			return &list->items[i];

	return NULL;
}

/**
 * master_of() - What is an interface a port of?
 * @list:	Of one namespace
 * @dev:	The interface
 *
 * Return: the bridge's or bond's name.
 */
static const char *master_of(const struct netdevs *list,
			     const struct netdev *dev)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].index == dev->master)
			return list->items[i].name;

	return "another interface";
}

/**
 * report() - Add interfaces that are in use as causes
 * @list:	Of one namespace
 * @where:	Which it is, for messages; empty for ours
 * @found:	Where to
 *
 * Return: how many.
 */
static int report(const struct netdevs *list, const char *where,
		  struct error *found)
{
	const char *in = where[0] ? " in network namespace " : "";
	int n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct netdev *dev = &list->items[i], *upper;

		if (!dev->ours)
			continue;
		upper = upper_of(list, dev);
		if (dev->master)
			error_cause(found, "netdev", dev->name,
				    "is a port of %s%s%s",
				    master_of(list, dev), in, where);
		else if (upper)
			error_cause(found, "netdev", dev->name,
				    "carries interface %s%s%s", upper->name,
				    in, where);
		else if (dev->up && dev->address)
			error_cause(found, "netdev", dev->name,
				    "is up and has an address%s%s", in, where);
		else
			continue;
		n++;
	}

	return n;
}

/**
 * look() - Look for interfaces in one namespace
 * @sock:	Its rtnetlink
 * @parents:	The devices
 * @where:	Which it is; empty for ours
 * @found:	Filled
 *
 * Return: how many are in use; -errno.
 */
static int look(int sock, const struct strv *parents, const char *where,
		struct error *found)
{
	struct netdevs list = { .parents = parents };
	int r;

	r = dump(sock, RTM_GETLINK, &list);
	if (!r && list.n)
		r = dump(sock, RTM_GETADDR, &list);
	if (!r)
		r = report(&list, where, found);
	free(list.items);

	return r;
}

/**
 * namespace_of() - Which network namespace is a process in?
 * @pid:	/proc/<pid>
 * @ret:	Its name; empty on failure
 *
 * Return: true on success.
 */
static bool namespace_of(int pid, char ret[NAMESPACE_SIZE])
{
	ssize_t n = readlinkat(pid, "ns/net", ret, NAMESPACE_SIZE - 1);

	ret[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/**
 * look_around() - Look for interfaces in every namespace but ours
 * @proc:	An open procfs
 * @parents:	The devices
 * @found:	Filled
 *
 * Return: how many are in use; -ENOMEM; -errno if procfs cannot be read.
 */
static int look_around(int proc, const struct strv *parents,
		       struct error *found)
{
	_cleanup_strv_ struct strv seen = STRV_NULL;
	_cleanup_dir_ DIR *dir = NULL;
	_cleanup_fd_ int self = -1;
	char where[NAMESPACE_SIZE];
	const char *name;
	int n = 0, r;

	r = sysfs_dir(proc, ".", &dir);
	if (r < 0)
		return r;
	self = sysfs_open(proc, "self");
	if (self >= 0 && namespace_of(self, where) && strv_add(&seen, where))
		return -ENOMEM;

	while ((name = sysfs_next(dir))) {
		_cleanup_fd_ int pid = -1, sock = -1;

		if (name[0] < '0' || name[0] > '9')
			continue;
		pid = sysfs_open(dirfd(dir), name);
		if (pid < 0 || !namespace_of(pid, where) ||
		    strv_has(&seen, where))
			continue;
		if (strv_add(&seen, where))
			return -ENOMEM;
		sock = open_in(pid);
		if (sock < 0)
			continue;
		r = look(sock, parents, where, found);
		if (r > 0)
			n += r;
	}

	return n;
}

/* netdev_users() - Which interfaces of some devices are in use? */
int netdev_users(int proc, const struct strv *parents, struct error *found,
		 struct error *err)
{
	_cleanup_fd_ int sock = open_rtnetlink();
	int n, r;

	n = sock < 0 ? sock : look(sock, parents, "", found);
	if (n < 0)
		return error_set(err, n, ERROR_KERNEL_SYSTEM,
				 "ask rtnetlink for network interfaces: %m");
	r = look_around(proc, parents, found);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_PROCESS,
				 "look for network namespaces: %m");

	return n + r;
}
