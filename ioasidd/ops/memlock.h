/* SPDX-License-Identifier: Apache-2.0
 *
 * memlock.h - how much memory a holder may lock: what leases add to it
 */
#ifndef IOASIDD_OPS_MEMLOCK_H
#define IOASIDD_OPS_MEMLOCK_H

#include <sys/resource.h>

#include "ops/host.h"

/**
 * memlock_with() - A limit with what a lease allows on top
 * @lease:	The lease
 * @before:	The limit of its holder
 * @ret:	The limit to set
 */
void memlock_with(const struct lease *lease, const struct rlimit *before,
		  struct rlimit *ret);

/**
 * memlock_lower() - Take back what a lease has added to its holder's limit
 * @lease:	A copy of the lease, which is held and ours
 *
 * What other leases of the same process add stays, and so does memory that is
 * locked. A limit that is lower by now is left alone.
 *
 * Return: 0, also if the holder has ended; -errno.
 */
int memlock_lower(struct host *host, struct lease *lease, struct error *err);

#endif
