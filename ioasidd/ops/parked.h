/* SPDX-License-Identifier: Apache-2.0
 *
 * parked.h - descriptors of hold and guarded leases that the service manager has
 * kept while we were not there
 */
#ifndef IOASIDD_OPS_PARKED_H
#define IOASIDD_OPS_PARKED_H

#include "base/error.h"

struct parked;

/**
 * parked_take() - Take them back, before anything is opened or started
 * @ret:	parked_free()
 *
 * Return: 0; -EINVAL, as fdstore_take(); -ENOMEM.
 */
int parked_take(struct parked **ret, struct error *err);

/* parked_top() - The lowest number above all of them; 3 for none. */
int parked_top(const struct parked *parked);

/**
 * parked_find() - Take one out by its name
 * @parked:	NULL is allowed
 *
 * Return: the descriptor; -1 if there is none of it.
 */
int parked_find(struct parked *parked, const char *name);

/* parked_drop() - Close those that nobody wanted, also with the manager. Not on
 * the loop's thread. NULL is allowed.
 */
void parked_drop(struct parked *parked);

/* parked_free() - Close those that are left; the manager still has them. NULL is
 * allowed. Return: NULL.
 */
struct parked *parked_free(struct parked *parked);

#endif
