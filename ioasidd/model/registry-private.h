/* SPDX-License-Identifier: Apache-2.0
 *
 * registry-private.h - what the parts of the registry know of each other
 *
 * registry.c has the objects; revision.c gives those that were changed their
 * revisions and enters them into the log; scan.c takes over what a scan of the
 * machine found; claims.c makes devices an operation's own.
 */
#ifndef IOASIDD_MODEL_REGISTRY_PRIVATE_H
#define IOASIDD_MODEL_REGISTRY_PRIVATE_H

#include "model/registry.h"

/* device_free() - Free a device that is not in the registry any more. */
void device_free(struct device *device);

/* groups_free() - Free @n groups; NULL is allowed. */
void groups_free(struct group *groups, size_t n);

/* registry_enter_all() - Enter what was changed since the lock was taken into
 * the log of changes. Before each giving back of the lock.
 */
void registry_enter_all(struct registry *reg);

/* registry_changed_group() - A group is another one now, or is not there any
 * more.
 */
void registry_changed_group(struct registry *reg, struct group *group);

/* registry_changed_iommu() - Likewise. */
void registry_changed_iommu(struct registry *reg, struct iommu *iommu);

/**
 * registry_changed_lease() - A lease is another one now
 * @reg:	The registry
 * @lease:	Which, or one that is not there any more
 * @foreseen:	See registry_changed_device()
 *
 * Whose it is never changes.
 */
void registry_changed_lease(struct registry *reg, struct lease *lease,
			    uint64_t foreseen);

#endif
