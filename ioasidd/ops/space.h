/* SPDX-License-Identifier: Apache-2.0
 *
 * space.h - spaces of hold and guarded leases, before they are made; see ops.h
 *	     for what clients do with them
 */
#ifndef IOASIDD_OPS_SPACE_H
#define IOASIDD_OPS_SPACE_H

#include "ops/commit.h"
#include "ops/ops.h"

/**
 * space_plan() - Place a space's windows and check its devices
 * @draft:	The lease's devices
 * @lease:	The lease; other spaces of it may have the devices now
 * @wish:	What is needed
 * @ret:	The space, named, not in the kernel
 *
 * With a device come the others of its group.
 *
 * Return: 0; -EINVAL window.invalid, lease.devices; -EADDRINUSE
 * window.unavailable; -EBUSY device.not-ready; -ENOMEM.
 */
int space_plan(struct host *host, const struct draft *draft,
	       const struct lease *lease, const struct space_wish *wish,
	       struct space *ret, struct error *err);

/**
 * space_same_windows() - Have all spaces of a guarded lease the same windows?
 * @lease:	Of another mode: they may differ
 *
 * Return: 0; -EINVAL space.windows-differ.
 */
int space_same_windows(const struct lease *lease, struct error *err);

#endif
