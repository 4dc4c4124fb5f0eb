/* SPDX-License-Identifier: Apache-2.0
 *
 * netdev.h - network interfaces of a device, in every network namespace
 *
 * sysfs shows the interfaces of one network namespace only. A device whose
 * interface was given to a container looks there as if it had none. rtnetlink
 * is asked instead, in each namespace that a process is in.
 */
#ifndef IOASIDD_KERNEL_NETDEV_H
#define IOASIDD_KERNEL_NETDEV_H

#include "base/error.h"
#include "base/str.h"

/**
 * netdev_users() - Which interfaces of some devices are in use?
 * @proc:	An open procfs
 * @parents:	Names of the devices, "0000:01:00.0", "virtio2"
 * @found:	A filled error: each interface that is up with an address, or a
 *		port of another one, is added as a cause
 * @err:	Filled on failure
 *
 * Context: makes a short-lived thread for each other network namespace; needs
 * CAP_SYS_ADMIN there, a namespace that cannot be entered is passed over.
 *
 * Return: how many were found; -errno if rtnetlink does not answer.
 */
int netdev_users(int proc, const struct strv *parents, struct error *found,
		 struct error *err);

#endif
