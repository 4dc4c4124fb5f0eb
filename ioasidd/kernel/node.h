/* SPDX-License-Identifier: Apache-2.0
 *
 * node.h - nodes of groups, /dev/vfio/<number>: which it is, who may open it
 *
 * A node is opened by path only (O_PATH), checked to be the device that sysfs
 * names, and what is read or changed is that one, whatever becomes of the path.
 */
#ifndef IOASIDD_KERNEL_NODE_H
#define IOASIDD_KERNEL_NODE_H

#include "base/error.h"
#include "kernel/kernel.h"

/**
 * node_find() - Find the node of a group
 * @sysfs:	An open sysfs
 * @folder:	Where it is, "/dev/vfio"
 * @group:	The kernel's number of the group
 * @ret:	It; it need not be there yet, udev may still make it
 *
 * Source: /sys/class/vfio/<number>/dev, there while a device of the group is with
 * a VFIO driver.
 *
 * Return: 0; -ENOENT, kernel.no-node.
 */
int node_find(int sysfs, const char *folder, int group,
	      struct kernel_node *ret, struct error *err);

/**
 * node_get_acl() - Who may open a node?
 * @ret:	Its list; of one that has none, what its mode says
 *
 * Return: 0; -ENOENT: there is no such node, or it is another device;
 * -EOPNOTSUPP, kernel.no-acl; -errno.
 */
int node_get_acl(const struct kernel_node *node, struct acl *ret,
		 struct error *err);

/* node_set_acl() - Say who may open it. Return: as node_get_acl(). */
int node_set_acl(const struct kernel_node *node, const struct acl *acl,
		 struct error *err);

#endif
