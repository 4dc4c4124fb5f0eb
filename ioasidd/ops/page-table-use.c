/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table-use.c - page tables of hold leases at work: invalidated, watched for
 *		      what is written, their faults told
 */
#include <errno.h>
#include <stdlib.h>

#include "ops/context.h"
#include "ops/fault-queue.h"
#include "ops/page-table.h"

/**
 * check_there() - Is it still there, as far as we know?
 *
 * Return: 0; -ENOENT pagetable.kernel-id.
 */
static int check_there(const struct page_table *table, struct error *err)
{
	if (table->kernel_id)
		return 0;
	error_set(err, -ENOENT, ERROR_PAGETABLE_KERNEL_ID,
		  "the lease's holder has ended %s", table->name);
	error_object(err, "%s", table->name);
	return -ENOENT;
}

/* --- invalidating --- */

/**
 * check_guest() - Is it a guest's?
 *
 * Return: 0; -EINVAL pagetable.invalid.
 */
static int check_guest(const struct page_table *table, struct error *err)
{
	if (table->data_type != PAGE_TABLE_HOST)
		return check_there(table, err);
	error_set(err, -EINVAL, ERROR_PAGETABLE_INVALID,
		  "%s is a host's page table, which is never to be invalidated by hand",
		  table->name);
	error_object(err, "%s", table->name);
	return -EINVAL;
}

/**
 * refuse_entry() - Say what the kernel would not invalidate
 * @done:	How many entries it did
 */
static int refuse_entry(const struct hold_change *s, int r, uint32_t done,
			uint32_t n, struct error *err)
{
	const struct device *device;

	if (r == -EINVAL)
		error_set(err, r, ERROR_PAGETABLE_INVALID,
			  "the next one, or the type, is not as the driver wants it");
	device = r == -EOPNOTSUPP ?
		hold_device(&s->draft, s->table->device, NULL) : NULL;
	if (device)
		page_table_cannot(device, "do what the next one says, or invalidate such a page table", err);
	error_prefix(err, "%u of %u entries were done", done, n);
	error_object(err, "%s", s->table->name);
	return r;
}

/**
 * page_table_invalidate() - See ops.h
 */
int page_table_invalidate(struct host *host, const struct caller *caller,
			  const struct change *change, uint32_t data_type,
			  const void *entries, uint32_t entry_size,
			  uint32_t *inout_n, struct error *err)
{
	const uint32_t n = *inout_n;
	struct hold_change s;
	uint32_t done = n;
	int r;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = check_guest(s.table, err);
	*inout_n = 0;
	if (r == 0 && !change->dry_run) {
		int iommufd = context_iommufd(host, s.lease, err);

		r = iommufd < 0 ? iommufd :
			host->kernel->ops->hwpt_invalidate(
				host->kernel, iommufd, s.table->kernel_id,
				data_type, entries, entry_size, &done, err);
		if (r < 0 && iommufd >= 0)
			r = refuse_entry(&s, r, done, n, err);
		*inout_n = done;
	}
	hold_end(&s);
	return r;
}

/* --- what is written --- */

/**
 * check_dirty() - Can what is written through it be recorded?
 *
 * Return: 0; -EOPNOTSUPP pagetable.unsupported; -ENOENT pagetable.kernel-id.
 */
static int check_dirty(const struct page_table *table, struct error *err)
{
	if (table->dirty_tracking)
		return check_there(table, err);
	error_set(err, -EOPNOTSUPP, ERROR_PAGETABLE_UNSUPPORTED,
		  "%s was made without dirty_tracking", table->name);
	error_object(err, "%s", table->name);
	return -EOPNOTSUPP;
}

/**
 * check_on() - Is what is written being recorded, as far as we know?
 *
 * If not the kernel would say that nothing was.
 *
 * Return: 0; -EINVAL pagetable.invalid.
 */
static int check_on(const struct page_table *table, struct error *err)
{
	if (table->dirty_on)
		return 0;
	error_set(err, -EINVAL, ERROR_PAGETABLE_INVALID,
		  "dirty tracking of %s is off: there is no record to read",
		  table->name);
	error_object(err, "%s", table->name);
	return -EINVAL;
}

/**
 * set_dirty() - Turn it on or off, and record it
 */
static int set_dirty(struct hold_change *s, bool on, struct error *err)
{
	const struct kernel_ops *k = s->host->kernel->ops;
	const uint32_t id = s->table->kernel_id;
	const bool was = s->table->dirty_on;
	int r, iommufd = context_iommufd(s->host, s->lease, err);

	if (iommufd < 0)
		return iommufd;
	r = k->hwpt_set_dirty(s->host->kernel, iommufd, id, on, err);
	if (r == 0) {
		s->table->dirty_on = on;
		r = hold_record(s, err);
	}
	if (r < 0 && was != on)
		(void)k->hwpt_set_dirty(s->host->kernel, iommufd, id, was,
					NULL); /* the other error is told */
	return r;
}

/**
 * page_table_track() - See ops.h
 */
int page_table_track(struct host *host, const struct caller *caller,
		     const struct change *change, bool on, struct error *err)
{
	struct hold_change s;
	int r;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = check_dirty(s.table, err);
	if (r == 0 && !change->dry_run)
		r = set_dirty(&s, on, err);
	hold_end(&s);
	return r;
}

/**
 * page_table_read_dirty() - See ops.h
 */
int page_table_read_dirty(struct host *host, const struct caller *caller,
			  const struct change *change,
			  const struct dirty_range *range, uint64_t *bitmap,
			  struct error *err)
{
	struct hold_change s;
	int r, iommufd;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = check_dirty(s.table, err);
	if (r == 0)
		r = check_on(s.table, err);
	if (r == 0 && !change->dry_run) {
		iommufd = context_iommufd(host, s.lease, err);
		r = iommufd < 0 ? iommufd :
			host->kernel->ops->hwpt_get_dirty(
				host->kernel, iommufd, s.table->kernel_id,
				range->iova, range->length, range->page_size,
				range->keep, bitmap, err);
		if (r < 0)
			error_object(err, "%s", change->name);
	}
	hold_end(&s);
	return r;
}

/* --- faults --- */

/**
 * is_holder() - Is the caller the process that holds the lease?
 */
static bool is_holder(struct lease *lease, const struct caller *caller)
{
	const struct holder *holder = lease_holder(lease);

	return lease->state == LEASE_HELD && holder &&
	       holder->process.pid == caller->process.pid &&
	       holder->process.start_ticks == caller->process.start_ticks;
}

/**
 * page_table_open_faults() - See ops.h
 */
int page_table_open_faults(struct host *host, const struct caller *caller,
			   const struct change *change, int *ret_fd,
			   struct error *err)
{
	struct hold_change s;
	int fd = -1, r;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	if (!is_holder(s.lease, caller))
		r = error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
			      "process %d does not hold %s",
			      (int)caller->process.pid, s.lease->name);
	else if (!s.table->faults)
		r = error_set(err, -EINVAL, ERROR_PAGETABLE_NO_FAULTS,
			      "%s was made without a fault queue",
			      s.table->name);
	else
		fd = fault_queue_copy(host, s.table->name, err);
	if (fd < 0) {
		r = r < 0 ? r : fd;
		error_object(err, "%s", change->name);
	}
	if (r == 0)
		*ret_fd = fd;
	hold_end(&s);
	return r;
}
