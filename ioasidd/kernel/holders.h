/* SPDX-License-Identifier: Apache-2.0
 *
 * holders.h - which processes have device nodes open or mapped, or sockets
 *
 * DOC: Theory of Operation
 *
 * There is no call that tells; procfs is read, process by process. A node is
 * known by its device number, whatever path it was opened by. Seen are the
 * descriptors and the mappings of every process but ours. Not seen is a
 * descriptor that is under way in a socket's queue, or registered with io_uring
 * and closed since: that nobody is found is a reason to go on, no proof.
 */
#ifndef IOASIDD_KERNEL_HOLDERS_H
#define IOASIDD_KERNEL_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "kernel/kernel.h"

/**
 * struct node - A device node that is looked for, or a socket
 * @number:	Its device number
 * @block:	It is a block device
 * @socket:	Inode of a socket, which has no number; 0 for a node
 * @name:	For messages, "/dev/vfio/devices/vfio0"
 */
struct node {
	dev_t number;
	bool block;
	ino_t socket;
	char name[64];
};

/**
 * struct nodes - What is looked for
 * @items:	The nodes; freed by nodes_deinit()
 * @n:		How many
 * @bdf:	PCI function whose VFIO descriptors are looked for by what the
 *		kernel says of them; empty for none. Finds those that came out
 *		of a group, and those whose cdev is gone from sysfs.
 */
struct nodes {
	struct node *items;
	size_t n;
	char bdf[BDF_SIZE];
};

#define NODES_NULL ((struct nodes){ .items = NULL, .n = 0 })

/**
 * nodes_add() - Look for one more node
 * @number:	Its device number
 * @block:	It is a block device: only descriptors open for writing count.
 *		Readers come and go whenever a disk appears (udev), and lose
 *		nothing.
 * @name:	For messages
 *
 * Return: 0 or -ENOMEM.
 */
int nodes_add(struct nodes *nodes, dev_t number, bool block, const char *name);

/* nodes_add_socket() - Look for one more socket. Processes that have several
 * of one @name are told once. Return: 0 or -ENOMEM.
 */
int nodes_add_socket(struct nodes *nodes, ino_t inode, const char *name);

/* nodes_deinit() - Forget all; empty afterwards. */
void nodes_deinit(struct nodes *nodes);

#define _cleanup_nodes_ __attribute__((cleanup(nodes_deinit)))

/**
 * holders_function() - Which function is a descriptor of ours a VFIO device of?
 * @proc:	An open procfs
 * @fd:		The descriptor
 * @ret:	Its address
 *
 * Return: 0; -ENODATA if the kernel does not say (before 6.17), or it is none.
 */
int holders_function(int proc, int fd, char ret[BDF_SIZE]);

/**
 * holders_find() - Which processes but ours hold any of some nodes?
 * @proc:	An open procfs
 * @nodes:	What is looked for
 * @found:	A filled error: each process is added as a cause, once for each
 *		node
 * @err:	Filled on failure
 *
 * A process that ends while it is read holds nothing.
 *
 * Return: how many were found; -errno if procfs cannot be read.
 */
int holders_find(int proc, const struct nodes *nodes, struct error *found,
		 struct error *err);

#endif
