/* SPDX-License-Identifier: Apache-2.0
 *
 * uevent.h - the kernel's announcements of devices
 */
#ifndef IOASIDD_KERNEL_UEVENT_H
#define IOASIDD_KERNEL_UEVENT_H

#include "kernel/kernel.h"

/**
 * uevent_open() - Listen
 * @ret_fd:	Netlink socket, non-blocking, close-on-exec
 * @err:	Filled on failure
 *
 * Source: NETLINK_KOBJECT_UEVENT, group 1: the kernel's own messages. Group 2
 * carries udev's.
 *
 * Return: 0 or -errno.
 */
int uevent_open(int *ret_fd, struct error *err);

/**
 * uevent_next() - Take the next announcement that concerns us
 * @fd:		From uevent_open()
 * @ret:	What it says
 * @err:	Filled on failure
 *
 * Announcements are hints: who hears of a device reads it anew. So what cannot
 * be understood is passed over, and what was lost (ENOBUFS) becomes @rescan.
 *
 * Return: 0; -EAGAIN if there is none now; -errno.
 */
int uevent_next(int fd, struct kernel_uevent *ret, struct error *err);

/**
 * uevent_parse() - Understand one message
 * @message:	"add@/devices/...", then "KEY=value", each ended by a NUL
 * @size:	Its length, bytes
 * @ret:	What it says
 *
 * Return: 0; -EBADMSG if it is malformed; -ENOMSG if it does not concern us.
 */
int uevent_parse(const char *message, size_t size, struct kernel_uevent *ret);

#endif
