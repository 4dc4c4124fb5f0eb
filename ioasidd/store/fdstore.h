/* SPDX-License-Identifier: Apache-2.0
 *
 * fdstore.h - descriptors that the service manager keeps while we restart
 *
 * A name is "<kind>-<id>", of lower-case letters, digits, '.' and '-', and
 * stands for one descriptor.
 */
#ifndef IOASIDD_STORE_FDSTORE_H
#define IOASIDD_STORE_FDSTORE_H

#include <stdbool.h>

#include "base/error.h"

/* systemd's limit of a name (FDNAME_MAX in its fdset.h). */
#define FDSTORE_NAME_MAX 255

/**
 * fdstore_room() - How many descriptors the manager keeps for this unit
 *
 * Return: $FDSTORE, set since systemd 254; 0 if it keeps none or does not say.
 */
unsigned int fdstore_room(void);

/**
 * fdstore_put() - Give a descriptor to the manager to keep
 * @name:	Its name; the manager would keep a second one of this name too
 * @fd:		Borrowed. Its end, or hang-up, does not make the manager drop it
 *
 * Waits until the manager has it, so not on the loop's thread. A manager that
 * is full, or may keep none, drops it without a word: see fdstore_room().
 *
 * Return: 0; -ENOTCONN if there is no manager; -EINVAL if it is no name;
 * -ETIMEDOUT; notify_send()'s errors.
 */
int fdstore_put(const char *name, int fd, struct error *err);

/**
 * fdstore_remove() - Let the manager drop the descriptors of a name
 *
 * Return: as fdstore_put(); 0 also if it had none.
 */
int fdstore_remove(const char *name, struct error *err);

/**
 * fdstore_take() - Take back what the manager kept
 * @fn:		Says, after having verified it, whether @fd is wanted. If so
 *		it is the function's, close-on-exec.
 * @data:	For @fn
 *
 * To be called once, before any descriptor is opened or a thread started: they
 * are told by $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES, which are unset. A
 * descriptor that is not wanted, or shares its name with another, is closed,
 * and the manager told to drop it.
 *
 * Return: how many were wanted; -EINVAL if the variables are not as the manager
 * writes them.
 */
int fdstore_take(bool (*fn)(void *data, const char *name, int fd), void *data,
		 struct error *err);

#endif
