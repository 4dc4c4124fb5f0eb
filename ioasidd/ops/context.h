/* SPDX-License-Identifier: Apache-2.0
 *
 * context.h - what we keep of a lease, hold or guarded: its iommufd, and its
 *	       devices bound
 *
 * DOC: Theory of Operation
 *
 * On a host without iommufd it is a VFIO container, with differences that are all in
 * container.h.
 *
 * One lease has one context: all that one VMM may touch. Which spaces it has,
 * what they promise and which devices are on them is in the lease; here are the
 * descriptors through which that is so. They are made when the lease is, and
 * copies of them are handed over, of a guarded lease those of the devices alone
 * (guarded.h); whoever has one can change what is in the kernel as we can, so
 * that what the lease says is what we have done, and what the kernel says is read
 * again whenever we change something.
 *
 * Who has claimed a lease's devices (lease_own()) is the only one to look at its
 * context, and to make or end it. While we have it the lease is kept
 * (lease->kept). Without us it ends, unless a holder has copies, or the service
 * manager: where one keeps descriptors (store/fdstore.h) it is given all of them
 * and gives them back to our next life.
 */
#ifndef IOASIDD_OPS_CONTEXT_H
#define IOASIDD_OPS_CONTEXT_H

#include "ops/commit.h"

struct contexts;
struct fault_queues;

/* contexts_new() - For all leases. Return: 0 or -ENOMEM. */
int contexts_new(struct host *host, struct error *err);

/* contexts_free() - Let go of all. Return: NULL. */
struct contexts *contexts_free(struct contexts *contexts);

/* contexts_stored() - What the service manager has of all; see stored.h. */
struct stored *contexts_stored(struct contexts *contexts);

/* contexts_faults() - The fault queues of all leases; see fault-queue.h. */
struct fault_queues *contexts_faults(struct contexts *contexts);

/* context_iommufd(), context_cdev() - A descriptor of a lease, borrowed for as long
 * as the lease is ours. Return: it; -ESTALE context.lost.
 */
int context_iommufd(struct host *host, const struct lease *lease,
		    struct error *err);
int context_cdev(struct host *host, const struct lease *lease,
		 const char *device, struct error *err);

/**
 * context_open() - Make all of a lease's context
 * @lease:	A copy of the lease; gets the kernel's ids and ranges, and is
 *		kept
 * @draft:	Its devices, in its order
 *
 * container_choose() has been called. Bind each device, make each space, let it promise its windows, attach its
 * devices; make page tables that were made before. Devices are reset.
 *
 * Return: 0; -ENOTCONN store.absent; -errno: there is nothing of it.
 */
int context_open(struct host *host, struct lease *lease,
		 const struct draft *draft, struct error *err);

/**
 * context_adopt() - Take over what the service manager has kept for a lease
 * @lease:	A lease of an earlier life of ours; gets what its context is
 *
 * It is looked at: the kernel has to know each device and each space by the ids
 * that the lease has. What is not whole is let go.
 *
 * Return: true if it is ours now.
 */
bool context_adopt(struct host *host, struct lease *lease);

/**
 * context_close() - Let go of a lease's descriptors, if we have any
 * @lease:	A copy of the lease; is not kept any more
 *
 * Devices first: a device whose last descriptor it was is reset.
 */
void context_close(struct host *host, struct lease *lease);

/**
 * context_copy() - Copies of a lease's descriptors, for its holder
 * @fds:	Room for the iommufd, then each device in the lease's order; of a
 *		guarded lease for the devices alone; of a container for that, its
 *		groups and the devices: CONTEXT_FDS_MAX
 *
 * Return: how many; -ESTALE context.lost; -errno.
 */
int context_copy(struct host *host, const struct lease *lease, int *fds,
		 struct error *err);

/**
 * context_fence() - Unmap all that is mapped in any of a lease's spaces, take its
 *		     devices off whatever its holder has put them on, and end
 *		     its page tables
 * @ret_bytes:	How much that was
 *
 * A space that its holder has ended has nothing mapped. A device without an IOMMU
 * cannot be fenced: it stays where it is, and in its lease nothing is unmapped,
 * since its DMA would go on to memory that is somebody else's by then.
 *
 * Return: 0; -ESTALE context.lost; -errno of the first that could not be; the
 * others were.
 */
int context_fence(struct host *host, const struct lease *lease,
		  uint64_t *ret_bytes, struct error *err);

/* --- one space; all return 0 or -errno, -ESTALE context.lost --- */

/**
 * context_add_space() - Make a space, with its windows and devices
 * @lease:	A copy of the lease
 * @space:	Gets the kernel's id and ranges
 *
 * On failure there is nothing of it, and devices are where they were.
 */
int context_add_space(struct host *host, const struct lease *lease,
		      struct space *space, struct error *err);

/* context_drop_space() - End a space that no device is on, mappings included; or
 * see that it has ended.
 */
int context_drop_space(struct host *host, const struct lease *lease,
		       const struct space *space, struct error *err);

/* context_promise() - Let a space promise its windows, in place of others; on
 * failure it promises what it did.
 */
int context_promise(struct host *host, const struct lease *lease,
		    const struct space *space, struct error *err);

/**
 * context_attach() - Put devices on a space or page table, wherever they are
 * @lease:	As it is; says where they are
 * @devices:	Names
 * @pt_id:	The kernel's id of the space or page table
 *
 * On failure they are where they were.
 */
int context_attach(struct host *host, const struct lease *lease,
		   const struct strv *devices, uint32_t pt_id,
		   struct error *err);

/* context_detach() - Take devices off whatever they are on. */
int context_detach(struct host *host, const struct lease *lease,
		   const struct strv *devices, struct error *err);

/* context_put_back() - Put devices where a lease, as it was before, has them; one
 * that cannot be is logged.
 */
void context_put_back(struct host *host, const struct lease *before,
		      const struct strv *devices);

/* context_read() - Read anew where memory can be mapped in a space. One that its
 * holder has ended has no id afterwards, and no ranges.
 */
int context_read(struct host *host, const struct lease *lease,
		 struct space *space, struct error *err);

/* --- of a guarded lease, with what is mapped for it taken (ops/guarded.h) --- */

/* context_map() - Map one piece of memory, as the kernel table's ioas_map_file()
 * does.
 */
int context_map(struct host *host, const struct lease *lease,
		const struct space *space, int fd,
		const struct mapping *mapping, struct error *err);

/* context_unmap() - Unmap a range that cuts no mapping. Nothing mapped there: 0. */
int context_unmap(struct host *host, const struct lease *lease,
		  const struct space *space, uint64_t start, uint64_t last,
		  struct error *err);

#endif
