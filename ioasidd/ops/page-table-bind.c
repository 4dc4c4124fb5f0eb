/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table-bind.c - who is on the page tables of hold leases
 *
 * Each change is the story of hold.h.
 */
#include <errno.h>

#include "ops/context.h"
#include "ops/context-tables.h"
#include "ops/page-table.h"

/**
 * check_pasid() - Can devices be bound to the page table with this PASID?
 * @devices:	Names
 * @pasid:	0 for none
 *
 * Return: 0; -EINVAL pagetable.invalid; -EOPNOTSUPP pagetable.unsupported.
 */
static int check_pasid(const struct hold_change *s, const struct strv *devices,
		       uint32_t pasid, struct error *err)
{
	if (!pasid)
		return 0;
	if (!s->table->pasid)
		return error_set(err, -EOPNOTSUPP,
				 ERROR_PAGETABLE_UNSUPPORTED,
				 "%s was made without pasid",
				 s->table->name);
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device =
			hold_device(&s->draft, devices->items[i], err);
		uint8_t bits;

		if (!device || !device->caps)
			continue;
		bits = device->caps->hw.max_pasid_log2;
		if (!bits)
			return page_table_cannot(device, "take PASIDs from it (max_pasid_log2 is 0)", err);
		if (bits < 20 && pasid >> bits)
			return error_set(err, -EINVAL,
					 ERROR_PAGETABLE_INVALID,
					 "field pasid: %s has PASIDs of %u bits",
					 device->name, bits);
	}
	return 0;
}

/**
 * check_bind() - Can devices be bound to the page table?
 * @devices:	Names
 */
static int check_bind(struct hold_change *s, const struct strv *devices,
		      uint32_t pasid, struct error *err)
{
	const struct space *root = lease_root_of(s->lease, s->table);
	int r = 0;

	if (!s->table->kernel_id)
		r = error_set(err, -ENOENT, ERROR_PAGETABLE_KERNEL_ID,
			      "the lease's holder has ended %s",
			      s->table->name);
	if (r == 0)
		r = check_pasid(s, devices, pasid, err);
	if (r == 0 && root)
		r = hold_check_windows(s, devices, root, err);
	return r;
}

/**
 * note_bound() - In the lease, devices are on the page table now
 *
 * Return: 0; -ENOMEM; -EAGAIN pagetable.invalid: too many are.
 */
static int note_bound(struct hold_change *s, const struct strv *devices,
		      uint32_t pasid, struct error *err)
{
	int r = 0;

	if (!pasid)
		lease_move(s->lease, devices, s->table->name);
	for (size_t i = 0; i < devices->n && r == 0; i++) {
		for (size_t k = 0; pasid && k < s->lease->n_tables; k++)
			page_table_unbind(&s->lease->tables[k],
					  devices->items[i], pasid);
		r = page_table_bind(s->table, devices->items[i], pasid);
	}
	if (r == -E2BIG)
		return error_set(err, -EAGAIN, ERROR_PAGETABLE_INVALID,
				 "%s has %d bindings, and no more",
				 s->table->name, PAGE_TABLE_BINDINGS_MAX);
	return r < 0 ? hold_no_memory(err) : 0;
}

/**
 * put_back() - Put devices where the lease had them
 */
static void put_back(struct hold_change *s, const struct lease *before,
		     const struct strv *devices, uint32_t pasid)
{
	if (pasid)
		context_put_back_pasid(s->host, before, devices, pasid);
	else
		context_put_back(s->host, before, devices);
}

/**
 * bind_all() - Put devices on the page table, and record it
 * @devices:	Names
 */
static int bind_all(struct hold_change *s, const struct strv *devices,
		    uint32_t pasid, struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	int r;

	if (!before)
		return hold_no_memory(err);
	r = pasid ? context_bind_pasid(s->host, s->lease, devices, s->table,
				       pasid, err) :
		    context_attach(s->host, s->lease, devices,
				   s->table->kernel_id, err);
	if (r == 0) {
		r = note_bound(s, devices, pasid, err);
		if (r == 0)
			r = hold_record(s, err);
		if (r < 0)
			put_back(s, before, devices, pasid);
	}
	lease_free(before);
	return r;
}

/**
 * unbind_all() - Take devices off the page table, and record it
 * @devices:	Names
 */
static int unbind_all(struct hold_change *s, const struct strv *devices,
		      uint32_t pasid, struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	int r;

	if (!before)
		return hold_no_memory(err);
	r = pasid ? context_unbind_pasid(s->host, s->lease, devices, pasid,
					 err) :
		    context_detach(s->host, s->lease, devices, err);
	if (r == 0) {
		for (size_t i = 0; i < devices->n; i++)
			page_table_unbind(s->table, devices->items[i], pasid);
		r = hold_record(s, err);
	}
	if (r < 0)
		put_back(s, before, devices, pasid);
	lease_free(before);
	return r;
}

/**
 * with_group() - A device of the lease, and the others of its group
 */
static int with_group(const struct hold_change *s, const char *device,
		      struct strv *ret, struct error *err)
{
	_cleanup_strv_ struct strv one = STRV_NULL;

	if (strv_add(&one, device) < 0)
		return hold_no_memory(err);
	return hold_whole_groups(&s->draft, &one, ret, err);
}

/**
 * page_table_attach() - See ops.h
 */
int page_table_attach(struct host *host, const struct caller *caller,
		      const struct change *change, const char *device,
		      uint32_t pasid, struct error *err)
{
	_cleanup_strv_ struct strv all = STRV_NULL;
	struct hold_change s;
	int r;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = with_group(&s, device, &all, err);
	if (r == 0)
		r = check_bind(&s, &all, pasid, err);
	if (r == 0 && !change->dry_run)
		r = bind_all(&s, &all, pasid, err);
	hold_end(&s);
	return r;
}

/**
 * page_table_detach() - See ops.h
 */
int page_table_detach(struct host *host, const struct caller *caller,
		      const struct change *change, const char *device,
		      uint32_t pasid, struct error *err)
{
	_cleanup_strv_ struct strv all = STRV_NULL;
	struct hold_change s;
	int r;

	r = page_table_begin(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = with_group(&s, device, &all, err);
	if (r == 0 && !page_table_is_on(s.table, device, pasid)) {
		r = error_set(err, -EINVAL, ERROR_PAGETABLE_NOT_BOUND,
			      "%s is not on %s, PASID %u", device,
			      s.table->name, pasid);
		error_object(err, "%s", device);
	}
	if (r == 0 && !change->dry_run)
		r = unbind_all(&s, &all, pasid, err);
	hold_end(&s);
	return r;
}
