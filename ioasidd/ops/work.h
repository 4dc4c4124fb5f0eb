/* SPDX-License-Identifier: Apache-2.0
 *
 * work.h - an operation upon a group of devices, from its claim to its end
 *
 * What prepare, restore and recover have in common. Each is checked on the
 * thread of who asks, journalled, and done on a worker:
 *
 *	work_new()		claim the group, copy its devices
 *	  ... checks ...	work_drop() if they do not hold
 *	work_begin_consume()	durable, shown, with a worker
 *	  ... the story ...
 *	work_end()		scan, result, devices: one commit
 */
#ifndef IOASIDD_OPS_WORK_H
#define IOASIDD_OPS_WORK_H

#include "ops/journal.h"

/**
 * struct work - An operation at work; a larger struct may begin with it
 * @host:	The host
 * @op:		The operation; the registry's from its journalling on
 * @draft:	The devices that it may change
 */
struct work {
	struct host *host;
	struct operation *op;
	struct draft draft;
};

/**
 * work_new() - Claim the group of the device that a change names
 * @size:	Of the struct that begins with struct work
 * @kind:	What it is
 * @alone:	Copy the device alone, not all endpoints of its group
 * @ret:	work_drop() or work_begin_consume()
 *
 * Return: 0; -ENOMEM; -EACCES, as authorize_device(), for the caller must have
 * the right for every endpoint; those of group_claim() and draft_open(): nothing
 * is claimed.
 */
int work_new(size_t size, struct host *host, const struct caller *caller,
	     const struct change *change, enum operation_kind kind, bool alone,
	     struct work **ret, struct error *err);

/* work_drop() - It will not begin: let go of the group, free everything. */
void work_drop(struct work *work);

/**
 * work_begin_consume() - Make it durable, show it, give it to a worker
 * @work:	Checked; the worker's on success, freed on failure
 * @state:	What its devices are meanwhile
 * @stays:	Those devices of its draft that stay as they are; NULL for none
 * @run:	Does it, and calls work_end()
 *
 * Return: 0 or -errno: nothing was done.
 */
int work_begin_consume(struct work *work, enum device_state state,
		       bool (*stays)(const struct work *work,
				     const struct device *device),
		       void (*run)(void *work), struct error *err);

/**
 * work_nothing_consume() - Record one that has nothing to do, as done
 * @work:	Checked; freed
 *
 * Return: 0 or -errno.
 */
int work_nothing_consume(struct work *work, struct error *err);

/**
 * work_end() - Record what became of it, let go of the group, free everything
 * @r:		0: done; -errno: failed, for the reason in @why
 *
 * If the end cannot be recorded the next start walks it on.
 */
void work_end(struct work *work, int r, const struct error *why);

#endif
