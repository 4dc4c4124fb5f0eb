/* SPDX-License-Identifier: Apache-2.0
 *
 * hold.h - what changes of a hold or guarded lease have in common: its spaces
 *	    (space.c), its page tables (page-table.c)
 *
 * DOC: Theory of Operation
 *
 * Each change is the same story: the lease is ours (lease_own()), what is asked
 * for is checked against what its devices can do, the kernel is asked, and what
 * has become of it is made durable with the lease. If it cannot be, the kernel
 * is asked to take it back.
 */
#ifndef IOASIDD_OPS_HOLD_H
#define IOASIDD_OPS_HOLD_H

#include "model/window.h"
#include "ops/commit.h"
#include "ops/ops.h"

/**
 * struct hold_change - A change of such a lease at work
 * @host:	The host
 * @claim:	Of the lease's devices
 * @lease:	A copy of the lease, what it is to become
 * @draft:	Its devices
 * @space:	The space of @lease that is changed; NULL for another change
 * @table:	The page table of @lease that is changed; likewise
 */
struct hold_change {
	struct host *host;
	char claim[NAME_SIZE];
	struct lease *lease;
	struct draft draft;
	struct space *space;
	struct page_table *table;
};

/**
 * hold_begin() - Make the lease ours, and see whether it can be changed
 * @permission:	What the caller must be allowed
 * @lease:	Its name
 * @ret:	Ends with hold_end()
 *
 * Return: 0; -ENOENT lease.not-found; -EBUSY device.busy; -EINVAL space.mode,
 * lease.state; -ESTALE context.lost, request.etag-mismatch.
 */
int hold_begin(struct host *host, const struct caller *caller,
	       const char *permission, const char *lease,
	       const struct change *change, struct hold_change *ret,
	       struct error *err);

/* hold_end() - Let go of the lease. */
void hold_end(struct hold_change *s);

/* hold_record() - Read what the kernel says, make all of it durable, and show it.
 * Afterwards s->lease is what the lease was before. Return: 0 or -errno.
 */
int hold_record(struct hold_change *s, struct error *err);

/* hold_device() - A draft's copy of a device. Return: it; NULL with lease.devices:
 * it is none of the lease's.
 */
const struct device *hold_device(const struct draft *draft, const char *name,
				 struct error *err);

/**
 * hold_whole_groups() - Devices, and those of the lease that are in their groups
 * @names:	Which devices
 * @ret:	All of them, each once
 *
 * Return: 0; -EINVAL lease.devices; -ENOMEM.
 */
int hold_whole_groups(const struct draft *draft, const struct strv *names,
		      struct strv *ret, struct error *err);

/**
 * hold_describe() - What planning knows of devices
 * @names:	Which
 * @ret:	Room for as many; borrowed from draft and registry
 *
 * Under the registry's lock.
 */
void hold_describe(struct registry *reg, const struct draft *draft,
		   const struct strv *names, struct window_device *ret);

/**
 * hold_check_windows() - Can devices be used with what a space promises?
 * @devices:	Names
 *
 * Return: 0; -EADDRINUSE window.unavailable; -EBUSY device.not-ready.
 */
int hold_check_windows(struct hold_change *s, const struct strv *devices,
		       const struct space *space, struct error *err);

/* hold_no_memory() - Say so. Return: -ENOMEM. */
int hold_no_memory(struct error *err);

/**
 * struct hold_made - What a request with an id has made
 * @name:	Its name
 * @fingerprint: Of the request
 */
struct hold_made {
	const char *name, *fingerprint;
};

/* Find what a caller has made in a lease with the change's request id. */
typedef bool hold_find_fn(const struct lease *lease,
			  const struct caller *caller,
			  const struct change *change, struct hold_made *ret);

/**
 * hold_replay() - Has the caller asked for this before?
 * @change:	What is asked for, of the lease that it names
 * @find:	Under the registry's lock
 * @ret:	Name of what was made then
 *
 * Looked at before all else: the etag that was right then is another one now.
 *
 * Return: 1 if so; 0 if not; -EEXIST request.id-reused.
 */
int hold_replay(struct host *host, const struct caller *caller,
		const struct change *change, hold_find_fn *find,
		char ret[NAME_SIZE], struct error *err);

#endif
