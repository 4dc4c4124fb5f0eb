/* SPDX-License-Identifier: Apache-2.0
 *
 * stored.h - what the service manager keeps of leases' contexts
 *
 * A context's descriptors are its iommufd, then its devices in the lease's
 * order; or its container, its groups, its devices. Each has a name with the manager, by which it is found again
 * (ops/parked.h).
 */
#ifndef IOASIDD_OPS_STORED_H
#define IOASIDD_OPS_STORED_H

#include <pthread.h>
#include <stdbool.h>

#include "ops/parked.h"

/**
 * struct stored - How much the manager has
 * @lock:	Guards it
 * @n:		Descriptors
 */
struct stored {
	pthread_mutex_t lock;
	size_t n;
};

/**
 * stored_take_room() - Is there room with the manager for so many more?
 * @what:	Whose, for the log
 *
 * A manager that is full drops what it is given without a word.
 *
 * Return: true: they count as kept, until stored_give_room().
 */
bool stored_take_room(struct stored *stored, const char *what, size_t n);

/* stored_give_room() - So many are kept no more. */
void stored_give_room(struct stored *stored, size_t n);

/**
 * stored_put() - Have the manager keep a context, if there is one that does
 * @lease:	Name of its lease
 * @fds:	Its descriptors; borrowed
 * @n_groups:	How many of the @n are groups: 0 with an iommufd
 *
 * If it cannot keep all of it, it keeps none, and the lease is one that ends with
 * us. Not on the loop's thread.
 *
 * Return: Does it? Then it is to be dropped when the context ends.
 */
bool stored_put(struct stored *stored, const char *lease, const int *fds,
		size_t n, size_t n_groups);

/* stored_drop() - Have the manager drop a context of so many descriptors. */
void stored_drop(struct stored *stored, const char *lease, size_t n,
		 size_t n_groups);

/**
 * stored_find() - Take what the manager has given back of a context
 * @parked:	All that it has given back
 * @fds:	Gets the descriptors, -1 for what there is none of
 * @n:		How many there should be
 * @n_groups:	How many of them are groups
 *
 * What is found counts as kept by the manager, all of it.
 *
 * Return: how many there were.
 */
size_t stored_find(struct stored *stored, struct parked *parked,
		   const char *lease, int *fds, size_t n, size_t n_groups);

#endif
