/* SPDX-License-Identifier: Apache-2.0
 *
 * client-view.c - what the simulated machine has, and who has it open
 *
 * Who has a descriptor is found in procfs, as on a real host: it is a socket
 * there, whose inode the machine knows.
 */
#include "kernel/sim/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/holders.h"
#include "kernel/sim/link.h"

/**
 * take_items() - Take an array out of an inventory
 * @at:		Where it is; moved behind it
 * @left:	How many bytes there are; fewer afterwards
 * @n:		How many items
 * @size:	Of one
 *
 * Return: a copy; NULL without memory, or if there is less.
 */
static void *take_items(const char **at, size_t *left, size_t n, size_t size)
{
	void *items;

	if (n > *left / size)
		return NULL;
	items = calloc(n ? n : 1, size);
	if (!items)
		return NULL;
	memcpy(items, *at, n * size);
	*at += n * size;
	*left -= n * size;

	return items;
}

/**
 * parse_inventory() - Make an inventory of what the machine sent
 * @data:	That
 * @size:	Its length, bytes
 * @ret:	Ends with kernel_inventory_free(), on failure too
 *
 * Return: 0; -EPROTO if it is none, or without memory.
 */
static int parse_inventory(const char *data, size_t size,
			   struct kernel_inventory *ret)
{
	struct control_inventory head;
	bool whole = true;

	if (size < sizeof(head))
		return -EPROTO;
	memcpy(&head, data, sizeof(head));
	data += sizeof(head);
	size -= sizeof(head);

	ret->isolated_msi = (enum kernel_isolated_msi)head.isolated_msi;
	ret->no_iommu_mode = head.no_iommu_mode;
	ret->devices = take_items(&data, &size, head.n_devices,
				  sizeof(*ret->devices));
	ret->n_devices = head.n_devices;
	ret->groups = take_items(&data, &size, head.n_groups,
				 sizeof(*ret->groups));
	for (size_t i = 0; ret->groups && i < head.n_groups; i++)
		ret->groups[i].reserved = NULL;
	ret->n_groups = ret->groups ? head.n_groups : 0;
	ret->iommus = take_items(&data, &size, head.n_iommus,
				 sizeof(*ret->iommus));
	ret->n_iommus = head.n_iommus;
	for (size_t i = 0; i < ret->n_groups; i++) {
		struct kernel_group *group = &ret->groups[i];

		group->reserved = take_items(&data, &size, group->n_reserved,
					     sizeof(*group->reserved));
		whole = whole && group->reserved;
	}

	return ret->devices && ret->groups && ret->iommus && whole && !size
	       ? 0 : -EPROTO;
}

/* client_inventory() - Read the whole machine */
int client_inventory(struct kernel *k, struct kernel_inventory **ret,
		     struct error *err)
{
	struct control_request request = { .magic = 0 };
	_cleanup_free_ char *data = NULL;
	struct kernel_inventory *inv;
	struct control_reply reply = { .magic = 0 };
	_cleanup_fd_ int fd = -1;
	size_t size = 0;
	int r;

	r = client_ask(k, CONTROL_INVENTORY, &request, &reply, &fd, err);
	if (r < 0)
		return r;
	r = reply.result;
	if (!r)
		r = link_read_memory(fd, &data, &size);
	inv = r < 0 ? NULL : calloc(1, sizeof(*inv));
	if (!inv)
		return client_no_answer(r < 0 ? r : -ENOMEM, err);
	r = parse_inventory(data, size, inv);
	if (r < 0) {
		(void)kernel_inventory_free(inv);
		return client_no_answer(r, err);
	}
	inv->backend = client_backend(k);

	*ret = inv;
	return 0;
}

/* client_device() - Read one function anew */
int client_device(struct kernel *k, const char *bdf, struct kernel_device *ret,
		  struct error *err)
{
	struct control_reply reply = { .magic = 0 };
	int r = client_ask_about(k, CONTROL_DEVICE, bdf, &reply, NULL, err);

	if (r < 0)
		return r;
	*ret = reply.device;
	return 0;
}

/**
 * client_find_holders() - Which processes have a function's cdev open?
 * @k:		The machine
 * @dev:	The function; for its names only
 * @found:	A filled error: each process is added as a cause
 *
 * Return: how many; -errno.
 */
int client_find_holders(struct kernel *k, const struct kernel_device *dev,
			struct error *found, struct error *err)
{
	_cleanup_nodes_ struct nodes nodes = NODES_NULL;
	struct control_reply reply = { .magic = 0 };
	char name[64];
	int r;

	r = client_ask_about(k, CONTROL_FILES, dev->bdf, &reply, NULL, err);
	if (r < 0)
		return r;
	(void)str_format(name, sizeof(name), "/dev/vfio/devices/%s",
			 dev->cdev_name);
	for (uint32_t i = 0; i < reply.files.n && !r; i++)
		r = nodes_add_socket(&nodes, reply.files.inodes[i], name);
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "no memory to look for holders of %s",
				 dev->bdf);

	return nodes.n ? holders_find(client_of(k)->proc, &nodes, found, err)
		       : 0;
}

/* client_device_users() - Does anything on the host use a function? */
int client_device_users(struct kernel *k, const char *bdf, struct error *err)
{
	struct control_reply reply = { .magic = 0 };
	struct kernel_device dev;
	struct error found;
	int r;

	r = client_device(k, bdf, &dev, err);
	if (!r)
		r = client_ask_about(k, CONTROL_USERS, bdf, &reply, NULL, err);
	if (r < 0)
		return r;
	error_set(&found, -EBUSY, ERROR_DEVICE_IN_USE, "%s is in use", bdf);
	for (uint32_t i = 0; i < reply.users.n; i++)
		error_cause(&found, reply.users.causes[i].kind,
			    reply.users.causes[i].name, "%s",
			    reply.users.causes[i].detail);
	r = client_find_holders(k, &dev, &found, err);
	if (r < 0 || !(r + (int)reply.users.n))
		return r;

	if (err)
		*err = found;
	return -EBUSY;
}

/* client_cdev_holders() - Which processes have a function's cdev? */
int client_cdev_holders(struct kernel *k, const char *bdf, struct error *err)
{
	struct kernel_device dev;
	struct error found;
	int r;

	r = client_device(k, bdf, &dev, err);
	if (r < 0)
		return r;
	error_set(&found, -EBUSY, ERROR_DEVICE_HELD,
		  "%s is held by another process", bdf);
	r = client_find_holders(k, &dev, &found, err);
	if (r <= 0)
		return r;

	if (err)
		*err = found;
	return -EBUSY;
}
