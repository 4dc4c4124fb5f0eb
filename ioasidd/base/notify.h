/* SPDX-License-Identifier: Apache-2.0
 *
 * notify.h - what the service manager is told, by sd_notify(3)'s protocol
 */
#ifndef IOASIDD_BASE_NOTIFY_H
#define IOASIDD_BASE_NOTIFY_H

#include <stdbool.h>

/**
 * notify_send() - Tell the service manager
 * @state:	"READY=1", "STOPPING=1", "STATUS=...", lines parted by newlines
 *
 * Goes to $NOTIFY_SOCKET: a path, or "@" and an abstract name. Waits up to a
 * second for a manager that does not read.
 *
 * Return: 1; 0 if there is no manager; -EINVAL if $NOTIFY_SOCKET is no such
 * name; -EAGAIN if the manager did not read; connect(2)'s and sendmsg(2)'s
 * errors.
 */
int notify_send(const char *state);

/**
 * notify_send_fd() - Tell the service manager, and hand it a descriptor
 * @fd:		Borrowed; -1 for none
 *
 * Return: as notify_send().
 */
int notify_send_fd(const char *state, int fd);

/**
 * notify_barrier() - Wait until the manager has dealt with all it was told
 * @timeout_ms:	How long to wait; -1 without end
 *
 * Until then what was sent counts for nothing should we die: the manager finds
 * the unit of a message by our pid.
 *
 * Return: 1; 0 if there is no manager; -ETIMEDOUT; as notify_send().
 */
int notify_barrier(int timeout_ms);

#endif
