/* SPDX-License-Identifier: Apache-2.0
 *
 * attach-reasons.h - why the kernel does not put a device on a space
 *
 * The planner has been asked before: what is left is what only the lease's holder
 * knows, and the kernel says as an errno. What we know is said with it.
 */
#ifndef IOASIDD_OPS_ATTACH_REASONS_H
#define IOASIDD_OPS_ATTACH_REASONS_H

#include "model/space.h"
#include "ops/commit.h"

/**
 * attach_reasons() - Put into words what keeps a device off a space
 * @draft:	The lease's devices
 * @lease:	The lease as it was before; its spaces say who is where
 * @space:	The space
 * @number:	errno of the attach
 * @err:	Filled with kernel.* about the device (@err->object); becomes
 *		space.sibling, with the other devices of its group and where they
 *		are, or space.occupied, with the ranges that it cannot use
 */
void attach_reasons(const struct draft *draft, const struct lease *lease,
		    const struct space *space, int number, struct error *err);

#endif
