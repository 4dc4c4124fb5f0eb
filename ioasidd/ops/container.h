/* SPDX-License-Identifier: Apache-2.0
 *
 * container.h - the context of a hold lease on a host without iommufd: a VFIO
 *		 container (type1, SPAPR TCE), its groups, its devices
 *
 * DOC: Theory of Operation
 *
 * context.h is the same for both; this is what is done otherwise for a lease
 * whose context is a container (lease->container). A container is one space, which
 * has no id, and its groups are on it for as long as they are in it: so the lease
 * has one space at most, and all its devices are on that. There are no page
 * tables.
 *
 * The kernel knows nothing of windows here. They are compared with where memory
 * can be mapped, after each group that comes in, and a holder can map outside.
 *
 * What is mapped is memory of the process that maps it. So the holder maps, and
 * there are no guarded leases. But whoever has the container can unmap it: that
 * is the fence. On older kernels only the process that had mapped it could: it is
 * seen from the entries that are left, and then devices are reset instead.
 *
 * A container of SPAPR TCE (POWER) belongs to the first process that makes a window
 * in it or registers memory; what another one asks of it is refused from then on,
 * whether the first is alive or not. So:
 *
 * 1. Nothing is done here that would make it ours (kernel/spapr.h): the holder is
 *    the first. It makes the windows that were planned for the space (model/tce.h).
 * 2. There is no successor. The lease has no grace and ends with its holder.
 * 3. The fence is a reset. With our descriptors of it go its windows, and all that
 *    is mapped, if nobody else has copies.
 * 4. One that was kept over a restart is known by that refusal.
 */
#ifndef IOASIDD_OPS_CONTAINER_H
#define IOASIDD_OPS_CONTAINER_H

#include "ops/commit.h"

/* A container, groups, devices. */
#define CONTEXT_FDS_MAX (1 + 2 * LEASE_DEVICES_MAX)

/**
 * container_choose() - What is the context of a lease to be, on this host?
 * @lease:	To be made, or made anew; gets it, and on POWER loses its grace
 * @draft:	Its devices
 *
 * Return: 0; -EOPNOTSUPP backend.unsupported: there is none of its mode, or, on
 * POWER, for devices of several groups.
 */
int container_choose(struct host *host, struct lease *lease,
		     const struct draft *draft, struct error *err);

/**
 * container_refuse() - Refuse what cannot be done in a container
 * @lease:	With whatever context
 * @why:	Why, in words
 *
 * Return: 0 if it has none; -EOPNOTSUPP backend.unsupported.
 */
int container_refuse(struct host *host, const struct lease *lease,
		     const char *why, struct error *err);

/**
 * container_make() - Make a container with a lease's groups and devices
 * @lease:	A copy of the lease; its space gets all devices, and its ranges
 * @draft:	Its devices, in its order
 * @fds:	Room for CONTEXT_FDS_MAX: the container, groups in the order of
 *		their first device, devices
 * @ret_n:	How many there are, also on failure
 * @ret_groups:	How many of them are groups
 *
 * Return: 0; -EADDRINUSE window.unavailable; -errno.
 */
int container_make(struct host *host, struct lease *lease,
		   const struct draft *draft, int *fds, size_t *ret_n,
		   size_t *ret_groups, struct error *err);

/* container_read() - Read where memory can be mapped; on POWER, where it can be
 * once the holder has the space's windows. Return: 0 or -errno.
 */
int container_read(struct host *host, int container, struct space *space,
		   struct error *err);

/* container_promise() - Can memory be mapped in all windows of a space, as it was
 * read? On POWER that was planned. Return: 0; -EADDRINUSE window.unavailable.
 */
int container_promise(struct host *host, const struct space *space,
		      struct error *err);

/**
 * container_count_groups() - Of how many groups are the devices of a lease?
 *
 * Return: how many; 0 if that is not known, since one is gone.
 */
size_t container_count_groups(struct host *host, const struct lease *lease);

/**
 * container_is_whole() - Are these the descriptors of a lease?
 * @fds:	As of container_make()
 * @n_groups:	How many groups there are
 *
 * As far as the kernel tells: the container translates, each device is of its
 * group, and each device's descriptor is of that device.
 */
bool container_is_whole(struct host *host, const struct lease *lease,
			const int *fds, size_t n_groups);

/* container_fence_method() - What the fence can be, in words. */
const char *container_fence_method(struct host *host);

/**
 * container_fence() - Unmap all that is mapped in a container
 * @devices:	Descriptors of its devices, in the lease's order
 * @ret_bytes:	How much that was
 *
 * Where the kernel lets only the holder do that, as on POWER, devices are reset
 * instead: what they are at ends. The kernel puts their bus mastering back as it
 * was, so who has a copy of a descriptor could have them begin again.
 *
 * Return: 0; -errno: neither could be done.
 */
int container_fence(struct host *host, const struct lease *lease,
		    int container, const int *devices, uint64_t *ret_bytes,
		    struct error *err);

#endif
