/* SPDX-License-Identifier: Apache-2.0
 *
 * nodes.h - leases of nodes: without iommufd a VMM opens /dev/vfio/<number>
 *	     itself
 *
 * DOC: Theory of Operation
 *
 * A transfer lease on a host without iommufd gives no descriptor: no VMM takes
 * one of a group or a container. It is of nodes. Either its holder has some of
 * its own, in a mount namespace (`ioasidctl run` by root); then nothing is to be
 * done here. Or an entry for its uid is put into the access control list of each
 * node. That is per uid and not per lease, so it is refused while others have
 * that uid, and it is there for as short as can be: from the claim until the
 * holder is seen to have the group open, which nobody else can then (EBUSY).
 *
 * What a node had before is durable, with the lease, before it is changed. A
 * start finds it there, and goes on from what the holder has done.
 *
 * Somebody else may change a list while our entry is in it: udev writes owner
 * and mode anew when it is triggered. Uevents would tell too early, as udev acts
 * on them; inotify tells of the change itself (IN_ATTRIB), and of an open
 * (IN_OPEN).
 */
#ifndef IOASIDD_OPS_NODES_H
#define IOASIDD_OPS_NODES_H

#include "ops/commit.h"
#include "ops/journal.h"

/**
 * nodes_fill() - Find the nodes of an offer
 * @offer:	The offer; has nodes afterwards, if it is of nodes
 * @draft:	Its devices
 *
 * Return: 0; -EINVAL lease.nodes, lease.mode; -ENOENT kernel.no-node; -ENOMEM.
 */
int nodes_fill(struct host *host, struct lease *offer,
	       const struct draft *draft, struct error *err);

/**
 * nodes_plan() - What is to be changed so that a claimant can open the nodes?
 * @lease:	A copy of the lease, ours; its nodes are found anew, and say what
 *		is to be made durable before nodes_open()
 * @draft:	Its devices
 * @process:	The claimant
 * @own_nodes:	It has nodes of its own: nothing is
 *
 * Return: 0; -EINVAL lease.nodes; -EPERM lease.uid-shared; -ENOENT
 * kernel.no-node; -EOPNOTSUPP kernel.no-acl; -errno.
 */
int nodes_plan(struct host *host, struct lease *lease,
	       const struct draft *draft, const struct process *process,
	       bool own_nodes, struct error *err);

/**
 * nodes_open() - Let the holder open them, and watch them
 * @lease:	A copy of the lease, durable as nodes_plan() has left it
 *
 * Return: 0; -errno: they are as they were.
 */
int nodes_open(struct host *host, struct lease *lease, struct error *err);

/**
 * nodes_close() - Put back what they had
 * @lease:	A copy of the lease; its nodes say afterwards which of them are
 *		still open, and are to be made durable
 *
 * Goes on when one fails.
 *
 * Return: 0 or the first -errno.
 */
int nodes_close(struct host *host, struct lease *lease, struct error *err);

/* nodes_close_for() - The same as an act of an operation. */
void nodes_close_for(struct host *host, struct operation *op,
		     struct lease *lease);

/* nodes_look() - On a worker, for watch_later(): close what the holder has open
 * by now, put right what somebody else has changed.
 */
int nodes_look(struct host *host, const char *name);

/* nodes_resume() - At a start: watch the nodes of a lease whose holder lives, and
 * look at them. Return: 0 or -ENOMEM.
 */
int nodes_resume(struct host *host, const struct lease *lease);

#endif
