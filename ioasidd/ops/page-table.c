/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table.c - page tables of hold leases: made, registered, ended; who is on them
 *		  is in page-table-bind.c
 *
 * Each change is the story of hold.h.
 */
#include "ops/page-table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ops/authorize.h"
#include "ops/container.h"
#include "ops/context-tables.h"
#include "ops/journal.h"

/* enum iommu_hw_info_type of <linux/iommufd.h>. */
#define HW_INFO_VTD 1

/* --- planning --- */

/**
 * page_table_cannot() - See page-table.h
 */
int page_table_cannot(const struct device *device, const char *what,
		      struct error *err)
{
	const char *iommu = *device->facts.iommu ? device->facts.iommu :
						   "no IOMMU";

	error_set(err, -EOPNOTSUPP, ERROR_PAGETABLE_UNSUPPORTED,
		  "%s is behind %s, which cannot %s", device->name, iommu,
		  what);
	error_cause(err, "iommu", iommu, "cannot %s", what);
	error_object(err, "%s", device->name);
	return -EOPNOTSUPP;
}

/**
 * check_capabilities() - Can there be such a page table for the device?
 *
 * By what its probe has found. What it could not look for the kernel says.
 *
 * Return: 0; -EOPNOTSUPP pagetable.unsupported.
 */
static int check_capabilities(const struct device *device,
			      const struct page_table *table,
			      struct error *err)
{
	const struct capabilities *caps = device->caps;

	if (!caps)
		return 0;
	if (table->nest_parent && !caps->nest_parent)
		return page_table_cannot(device, "make a page table that a guest's can hang on (nest_parent)", err);
	if (table->dirty_tracking && !caps->dirty_tracking)
		return page_table_cannot(device, "record what is written (dirty_tracking)", err);
	if (table->pasid && !caps->pasid)
		return page_table_cannot(device, "make a page table for PASIDs (pasid)", err);
	if (table->data_type == PAGE_TABLE_VTD_S1 &&
	    caps->hw.type != HW_INFO_VTD)
		return page_table_cannot(device, "use a guest's page table of type VTD_S1", err);
	if (table->data_type == PAGE_TABLE_ARM_SMMUV3 && !table->registered)
		return page_table_cannot(device, "use one of type ARM_SMMUV3 without a vIOMMU: the lease's holder makes both, and registers it", err);
	return 0;
}

/**
 * check_host() - Can a page table of a host's be such?
 *
 * Return: 0; -EINVAL pagetable.invalid, pagetable.parent.
 */
static int check_host(const struct lease *lease,
		      const struct page_table *table, struct error *err)
{
	if (table->n_data)
		return error_set(err, -EINVAL, ERROR_PAGETABLE_INVALID,
				 "field data: %zu bytes, without a type",
				 table->n_data);
	if (!lease_space(lease, table->parent))
		return error_set(err, -EINVAL, ERROR_PAGETABLE_PARENT,
				 "%s is a page table; without a type and data a page table hangs on a space",
				 table->parent);
	return 0;
}

/**
 * check_guest() - Can a page table of a guest's be such?
 *
 * Return: 0; -EINVAL pagetable.invalid, pagetable.parent.
 */
static int check_guest(const struct lease *lease,
		       const struct page_table *table, struct error *err)
{
	const struct page_table *parent = lease_table(lease, table->parent);

	if (!table->registered && !table->n_data)
		return error_set(err, -EINVAL, ERROR_PAGETABLE_INVALID,
				 "field data: empty; it describes the guest's page table");
	if (table->nest_parent || table->dirty_tracking)
		return error_set(err, -EINVAL, ERROR_PAGETABLE_INVALID,
				 "field %s: a guest's page table cannot have it; its parent can",
				 table->nest_parent ? "nest_parent" :
						      "dirty_tracking");
	if (!parent || !parent->nest_parent)
		return error_set(err, -EINVAL, ERROR_PAGETABLE_PARENT,
				 "%s is no page table that was made with nest_parent",
				 table->parent);
	return 0;
}

/**
 * check_parent() - Has the lease what a page table is to hang on?
 *
 * What is another lease's is not found here either.
 *
 * Return: 0; -ENOENT space.not-found, pagetable.not-found.
 */
static int check_parent(const struct lease *lease, const char *parent,
			struct error *err)
{
	const bool space = str_starts(parent, "spaces/");

	if (lease_space(lease, parent) || lease_table(lease, parent))
		return 0;
	error_set(err, -ENOENT, space ? ERROR_SPACE_NOT_FOUND :
					ERROR_PAGETABLE_NOT_FOUND,
		  "%s has no %s '%s'", lease->name,
		  space ? "space" : "page table", parent);
	error_object(err, "%s", parent);
	return -ENOENT;
}

/**
 * check_registered() - Can a page table be registered by this id?
 *
 * Return: 0; -EINVAL lease.state, pagetable.kernel-id; as
 * context_check_table().
 */
static int check_registered(struct hold_change *s,
			    const struct page_table *table, struct error *err)
{
	const struct lease *lease = s->lease;

	if (!lease->incarnation)
		return error_set(err, -EINVAL, ERROR_LEASE_STATE,
				 "nobody has held %s yet, and made a page table",
				 lease->name);
	for (size_t i = 0; i < lease->n_tables; i++)
		if (lease->tables[i].kernel_id == table->kernel_id)
			return error_set(err, -EINVAL,
					 ERROR_PAGETABLE_KERNEL_ID,
					 "page table %u is %s already",
					 table->kernel_id,
					 lease->tables[i].name);
	return context_check_table(s->host, lease, table, err);
}

/**
 * plan() - Check a page table that is asked for, and give it its name
 * @table:	As it was asked for
 */
static int plan(struct hold_change *s, struct page_table *table,
		struct error *err)
{
	const struct device *device = hold_device(&s->draft, table->device,
						  err);
	char ulid[ULID_SIZE];
	int r;

	if (!device)
		return -EINVAL;
	/* Its holder can put a device on it, whatever that then reaches. */
	if (s->lease->mode == LEASE_GUARDED)
		return error_set(err, -EINVAL, ERROR_SPACE_MODE,
				 "%s is guarded, and has spaces alone",
				 s->lease->name);
	if (s->lease->n_tables >= PAGE_TABLES_MAX)
		return error_set(err, -EAGAIN, ERROR_LIMIT_PAGE_TABLES,
				 "a lease has at most %d page tables",
				 PAGE_TABLES_MAX);
	r = check_parent(s->lease, table->parent, err);
	if (r == 0)
		r = table->data_type == PAGE_TABLE_HOST ?
			    check_host(s->lease, table, err) :
			    check_guest(s->lease, table, err);
	if (r == 0)
		r = check_capabilities(device, table, err);
	if (r == 0 && table->registered)
		r = check_registered(s, table, err);
	if (r < 0)
		return r;
	ulid_make(ulid);
	str_format(table->name, sizeof(table->name), "pageTables/%s", ulid);
	table->created_us = clock_real_us();
	return 0;
}

/* --- a change of a lease's page tables --- */

/**
 * page_table_begin() - See page-table.h
 */
int page_table_begin(struct host *host, const struct caller *caller,
		     const struct change *change, struct hold_change *ret,
		     struct error *err)
{
	const struct lease *lease;
	char name[NAME_SIZE] = "";
	int r;

	registry_lock(host->registry);
	lease = registry_lease_of_table(host->registry, change->name);
	if (lease && lease_visible(host->registry, lease, caller))
		str_copy(name, sizeof(name), lease->name);
	registry_unlock(host->registry);
	r = *name ? hold_begin(host, caller, "pagetable.change", name, change,
			       ret, err) : -ENOENT;
	if (r == 0) {
		ret->table = lease_table(ret->lease, change->name);
		if (ret->table)
			return 0;
		hold_end(ret);
		r = -ENOENT;
	}
	if (r == -ENOENT) {
		error_set(err, r, ERROR_PAGETABLE_NOT_FOUND,
			  "there is no page table '%s'", change->name);
		error_object(err, "%s", change->name);
	}
	return r;
}

/**
 * made_by_kernel() - Have the kernel make a page table, unless it was made
 *
 * What the probe could not find out the kernel says now.
 */
static int made_by_kernel(struct hold_change *s, struct page_table *table,
			  struct error *err)
{
	const struct device *device;
	struct error why;
	int r;

	if (table->registered)
		return 0;
	r = context_add_table(s->host, s->lease, table, err);
	if (r != -EOPNOTSUPP || !err)
		return r;
	why = *err;
	device = hold_device(&s->draft, table->device, err);
	if (device)
		page_table_cannot(device, table->faults ?
				  "make such a page table with a fault queue" :
				  "make such a page table", err);
	error_cause(err, "kernel", "iommufd", "%s", why.msg);
	return r;
}

/**
 * add_table() - Make a page table that was planned, and record it
 * @table:	The lease's in the end, then it is empty
 */
static int add_table(struct hold_change *s, struct page_table *table,
		     struct error *err)
{
	struct page_table made = PAGE_TABLE_NULL;
	int r;

	r = made_by_kernel(s, table, err);
	if (r < 0)
		return r;
	/* All that is needed to end it again. */
	str_copy(made.name, sizeof(made.name), table->name);
	made.kernel_id = table->kernel_id;
	made.fault_id = table->fault_id;
	made.registered = table->registered;
	r = lease_add_table(s->lease, table);
	r = r == 0 ? hold_record(s, err) : hold_no_memory(err);
	if (r < 0 && !made.registered)
		(void)context_drop_table(s->host, s->lease, &made, NULL);
	return r;
}

/**
 * find_made() - The page table that a caller has made with a request id; a
 *		 hold_find_fn
 */
static bool find_made(const struct lease *lease, const struct caller *caller,
		      const struct change *change, struct hold_made *ret)
{
	for (size_t i = 0; i < lease->n_tables; i++) {
		const struct page_table *one = &lease->tables[i];

		if (!str_eq(one->request_id, change->request_id) ||
		    !str_eq(one->maker, caller->principal))
			continue;
		*ret = (struct hold_made){ one->name, one->fingerprint };
		return true;
	}
	return false;
}

/**
 * page_table_create() - See ops.h
 */
int page_table_create(struct host *host, const struct caller *caller,
		      const struct change *change, struct page_table *wish,
		      char ret[NAME_SIZE], struct error *err)
{
	struct hold_change s;
	int r;

	ret[0] = '\0';
	r = hold_replay(host, caller, change, find_made, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = hold_begin(host, caller, "pagetable.change", change->name, change,
		       &s, err);
	if (r < 0)
		return r;
	r = container_refuse(s.host, s.lease, "a container has no page tables but its own, and so no nesting, no PASIDs and no dirty tracking through ioasidd",
			     err);
	if (r == 0)
		r = plan(&s, wish, err);
	if (r == 0 && change->dry_run) {
		wish->name[0] = '\0';
	} else if (r == 0) {
		str_copy(wish->request_id, sizeof(wish->request_id),
			 change->request_id);
		str_copy(wish->fingerprint, sizeof(wish->fingerprint),
			 change->fingerprint);
		str_copy(wish->maker, sizeof(wish->maker), caller->principal);
		str_copy(ret, NAME_SIZE, wish->name);
		r = add_table(&s, wish, err);
	}
	if (r < 0)
		ret[0] = '\0';
	hold_end(&s);
	return r;
}

/**
 * in_the_way() - What keeps a page table from being ended?
 *
 * Return: 0 for nothing; -EBUSY pagetable.in-use.
 */
static int in_the_way(const struct lease *lease,
		      const struct page_table *table, struct error *err)
{
	size_t nested = 0;

	for (size_t i = 0; i < lease->n_tables; i++)
		nested += str_eq(lease->tables[i].parent, table->name);
	if (!nested && !table->n_bindings)
		return 0;
	error_set(err, -EBUSY, ERROR_PAGETABLE_IN_USE,
		  "%s has %zu binding(s), and %zu page table(s) nested in it",
		  table->name, table->n_bindings, nested);
	error_object(err, "%s", table->name);
	for (size_t i = 0; i < table->n_bindings; i++)
		error_cause(err, "device", table->bindings[i].device,
			    "is bound, PASID %u", table->bindings[i].pasid);
	for (size_t i = 0; i < lease->n_tables; i++)
		if (str_eq(lease->tables[i].parent, table->name))
			error_cause(err, "page-table", lease->tables[i].name,
				    "is nested in it");
	return -EBUSY;
}

/**
 * drop() - End the page table, and record it
 */
static int drop(struct hold_change *s, struct error *err)
{
	const struct commit commit = { .lease = s->lease };
	int r;

	/* By an id that is something else's by now nothing is ended. */
	r = context_read_table(s->host, s->lease, s->table, err);
	if (r == 0)
		r = context_drop_table(s->host, s->lease, s->table, err);
	if (r < 0)
		return r;
	lease_drop_table(s->lease, (size_t)(s->table - s->lease->tables));
	/* There is no way back. */
	return commit_insist(s->host, &commit, err);
}

/**
 * page_table_delete() - See ops.h
 */
int page_table_delete(struct host *host, const struct caller *caller,
		      const struct change *change, struct page_table *ret,
		      char ret_lease[NAME_SIZE], struct error *err)
{
	struct page_table was = PAGE_TABLE_NULL;
	struct hold_change s;
	int r;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	str_copy(ret_lease, NAME_SIZE, s.lease->name);
	r = in_the_way(s.lease, s.table, err);
	if (r == 0 && page_table_copy(s.table, &was) < 0)
		r = hold_no_memory(err);
	if (r == 0 && !change->dry_run)
		r = drop(&s, err);
	if (r < 0)
		page_table_deinit(&was);
	else
		*ret = was;
	hold_end(&s);
	return r;
}
