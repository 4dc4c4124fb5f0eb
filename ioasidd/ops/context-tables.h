/* SPDX-License-Identifier: Apache-2.0
 *
 * context-tables.h - page tables of a hold lease, in its context
 *
 * As with all of a context (context.h): who has claimed the lease's devices, and
 * nobody else. What is -ESTALE is context.lost.
 */
#ifndef IOASIDD_OPS_CONTEXT_TABLES_H
#define IOASIDD_OPS_CONTEXT_TABLES_H

#include "ops/host.h"

/**
 * context_add_table() - Make a page table, and its fault queue if it has one
 * @lease:	A copy of the lease; has what it hangs on
 * @table:	Gets the kernel's ids
 *
 * Return: 0; -EOPNOTSUPP pagetable.unsupported; -ESTALE; kernel errors.
 */
int context_add_table(struct host *host, const struct lease *lease,
		      struct page_table *table, struct error *err);

/* context_drop_table() - End a page table that nobody is on, with its fault
 * queue; or see that it has ended. Return: 0; -EBUSY pagetable.in-use: its
 * holder has put something on it; -ESTALE; kernel errors.
 */
int context_drop_table(struct host *host, const struct lease *lease,
		       const struct page_table *table, struct error *err);

/**
 * context_check_table() - Has the kernel a page table such as this one?
 * @table:	With its kernel_id and type
 *
 * It tells a host's page table from a guest's, and both from what is none. A
 * kernel that is too old to tell knows everything.
 *
 * Return: 0; -ENOENT pagetable.kernel-id; -ESTALE.
 */
int context_check_table(struct host *host, const struct lease *lease,
			const struct page_table *table, struct error *err);

/* context_read_table() - See whether it is still there. One that its holder has
 * ended has no id afterwards, and nobody is on it. Return: 0; -ESTALE.
 */
int context_read_table(struct host *host, const struct lease *lease,
		       struct page_table *table, struct error *err);

/**
 * context_bind_pasid() - Put DMA of devices with a PASID on a page table
 * @lease:	As it is; says where that was
 * @devices:	Names
 * @pasid:	1 or higher
 *
 * On failure it is where it was.
 *
 * Return: 0; -ESTALE; kernel errors.
 */
int context_bind_pasid(struct host *host, const struct lease *lease,
		       const struct strv *devices,
		       const struct page_table *table, uint32_t pasid,
		       struct error *err);

/* context_unbind_pasid() - Take it off whatever it is on. Return: likewise. */
int context_unbind_pasid(struct host *host, const struct lease *lease,
			 const struct strv *devices, uint32_t pasid,
			 struct error *err);

/* context_put_back_pasid() - Put it where a lease, as it was before, has it; what
 * cannot be is logged.
 */
void context_put_back_pasid(struct host *host, const struct lease *before,
			    const struct strv *devices, uint32_t pasid);

/* --- for context.c --- */

/* context_make_tables() - Make all page tables of a lease whose context is new,
 * and put devices on them. What its holder had made is forgotten. Return: 0 or
 * -errno.
 */
int context_make_tables(struct host *host, struct lease *lease,
			struct error *err);

/* context_knows_tables() - Does the kernel know all page tables of a lease? But for
 * those that nobody is on.
 */
bool context_knows_tables(struct host *host, int iommufd,
			  const struct lease *lease);

/* context_detach_pasids() - Block all DMA with PASIDs that is bound. Return: 0; -errno
 * of the first that could not be; the others were.
 */
int context_detach_pasids(struct host *host, const struct lease *lease,
			  struct error *err);

/* context_end_tables() - End all page tables, what is nested first; with no device
 * on them. What cannot be ended yet ends with the last descriptor.
 */
void context_end_tables(struct host *host, const struct lease *lease);

/* context_adopt_faults(), context_drop_faults() - Take over the lease's fault queues
 * from the service manager; let go of them.
 */
void context_adopt_faults(struct host *host, const struct lease *lease);
void context_drop_faults(struct host *host, const struct lease *lease);

#endif
