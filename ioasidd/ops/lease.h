/* SPDX-License-Identifier: Apache-2.0
 *
 * lease.h - what happens to leases that no client asks for; see ops.h for what
 *	     clients do
 */
#ifndef IOASIDD_OPS_LEASE_H
#define IOASIDD_OPS_LEASE_H

#include "ops/ops.h"

/* These are for watch_later(): they return 0, or -EAGAIN if they are to be called
 * once more, having done nothing.
 */

/* lease_reclaim() - The holder has ended: make its devices safe, end the lease.
 * On a worker. A failure is logged and in the records.
 */
int lease_reclaim(struct host *host, const char *name);

/**
 * lease_end_offer() - End an offer
 * @lease:	A copy of the lease, which is offered and ours; consumed
 * @why:	Its end_reason
 *
 * Whoever had its descriptors may have left something at its devices: then they
 * are made safe.
 *
 * Return: 0 or -errno.
 */
int lease_end_offer(struct host *host, struct lease *lease, const char *why,
		    struct error *err);

/**
 * lease_rebuild() - At a start: make the context of a hold or guarded lease that
 *		     is offered anew, since ours went with our earlier life
 * @name:	The lease
 *
 * If somebody has had it, or it cannot be made, the lease ends. Blocks while
 * devices are bound, and for a second while somebody else has one of them.
 *
 * Return: 0; -errno: it is as it was, and the start has failed.
 */
int lease_rebuild(struct host *host, const char *name, struct error *err);

/**
 * lease_reclaim_owned() - Make the devices of a lease safe, end it
 * @lease:	A copy of the lease, which is ours; consumed
 * @why:	Its end_reason
 *
 * Return: 0: the outcome is in the records; -errno: nothing has begun.
 */
int lease_reclaim_owned(struct host *host, struct lease *lease,
			const char *why, struct error *err);

/* lease_expire() - End an offer that has run out. On a worker. */
int lease_expire(struct host *host, const char *name);

/* lease_note_silence() - Audit a lease that was not acknowledged in time. */
int lease_note_silence(struct host *host, const char *name);

/**
 * lease_own() - Claim a lease's devices, so that nobody else changes the lease
 * @caller:	For whom: a lease that is not for it to see is not found, and
 *		nobody waits because it has asked. NULL for ioasidd itself
 * @permission:	What the caller must be allowed, see authorize_lease()
 * @name:	The lease
 * @ret_claim:	Name of the claim, for lease_disown()
 * @timeout_ms:	How long to wait for others
 * @ret:	A copy of the lease as it is then; ends with lease_free()
 *
 * Return: 0; -ENOENT lease.not-found; -EACCES, as authorize_lease(); -EBUSY
 * device.busy; -ENOMEM.
 */
int lease_own(struct host *host, const struct caller *caller,
	      const char *permission, const char *name, unsigned int timeout_ms,
	      char ret_claim[NAME_SIZE], struct lease **ret,
	      struct error *err);

/* lease_disown() - Let go of the devices. */
void lease_disown(struct host *host, const char *claim);

/* The end_reason of an offer that nobody has claimed in time. */
#define LEASE_EXPIRED "expired"

/* lease_end() - Fill in that it has ended now, and why. */
void lease_end(struct lease *lease, const char *why);

#endif
