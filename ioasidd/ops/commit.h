/* SPDX-License-Identifier: Apache-2.0
 *
 * commit.h - one durable change of several objects: first drafted, then
 *	      written, then published
 *
 * A draft is a private copy of devices that the caller has claimed. It is
 * changed while the machine is, committed, and what it says becomes visible in
 * the registry after that: what a client can see is durable.
 */
#ifndef IOASIDD_OPS_COMMIT_H
#define IOASIDD_OPS_COMMIT_H

#include "ops/host.h"

/**
 * struct draft - Private copies of devices
 * @live:	The registry's, claimed by the caller
 * @copies:	What they are to become; facts, record, recorded, lease and caps
 *		count. caps is the live one, or a new one that the draft owns.
 * @n:		How many
 */
struct draft {
	struct device **live;
	struct device *copies;
	size_t n;
};

#define DRAFT_NULL ((struct draft){ .live = NULL, .copies = NULL, .n = 0 })

/**
 * draft_open() - Copy devices
 * @names:	Which; claimed by the caller
 * @ret:	Ends with draft_close()
 *
 * Return: 0; -ENODEV device.not-found; -ENOMEM.
 */
int draft_open(struct host *host, const struct strv *names, struct draft *ret,
	       struct error *err);

/* draft_close() - Drop it, with what was not published. */
void draft_close(struct draft *draft);

#define _cleanup_draft_ __attribute__((cleanup(draft_close)))

/* draft_capabilities() - Give the copy of one device new capabilities. */
void draft_capabilities(struct draft *draft, size_t i,
			struct capabilities *caps);

/* draft_refresh() - Read the facts of one copy anew from the kernel. */
int draft_refresh(struct host *host, struct draft *draft, size_t i,
		  struct error *err);

/**
 * struct commit - What is written together, or not at all
 * @op:		A copy of an operation of the caller's, what it is to become;
 *		NULL for none
 * @lease:	A copy of a lease, what it is to become; NULL for none. Copy and
 *		original change places when it is durable.
 * @new_op:	@op is not in the registry: there is room reserved for it, and
 *		it is the registry's when it is durable
 * @new_lease:	Likewise @lease
 * @draft:	Devices, published when they are durable; NULL for none
 * @last:	The change ends with this: when its outcome can be seen, the
 *		devices of @draft are free for the next change. @draft is empty
 *		then.
 * @drop_lease:	Name of a lease to forget; NULL for none
 * @drop_op:	Name of an operation to forget; NULL for none
 */
struct commit {
	struct operation *op;
	struct lease *lease;
	bool new_op, new_lease;
	struct draft *draft;
	bool last;
	const char *drop_lease;
	const char *drop_op;
};

/**
 * commit_write() - Foresee a revision for each object, write them, wait until
 *		    they are durable, publish all of them at once
 *
 * What the commit points to must not change meanwhile.
 *
 * Return: 0; -EIO daemon.read-only; -ENOMEM.
 */
int commit_write(struct host *host, const struct commit *commit,
		 struct error *err);

/**
 * commit_insist() - The same, for what has come of something already done
 *
 * Without memory it is tried again until there is some: nobody else would write
 * it before the next start.
 *
 * Return: 0; -EIO daemon.read-only.
 */
int commit_insist(struct host *host, const struct commit *commit,
		  struct error *err);

#endif
