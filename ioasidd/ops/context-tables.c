/* SPDX-License-Identifier: Apache-2.0
 *
 * context-tables.c - page tables of a hold lease, in its context
 */
#include "ops/context-tables.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/uapi.h"
#include "ops/context.h"
#include "ops/fault-queue.h"

/* What is asked for to hear whether there is a page table; any page would do. */
#define SOME_PAGE 4096

/* --- making --- */

/**
 * id_of() - What a page table hangs on, and what the device is, for the kernel
 * @wish:	Gets it
 */
static void id_of(const struct lease *lease, const struct page_table *table,
		  struct kernel_hwpt *wish)
{
	const struct space *space = lease_space(lease, table->parent);
	const struct page_table *parent = lease_table(lease, table->parent);

	for (size_t i = 0; i < lease->n_device_ids; i++)
		if (str_eq(lease->devices.items[i], table->device))
			wish->dev_id = lease->device_ids[i];
	wish->pt_id = space ? space->kernel_id :
			      parent ? parent->kernel_id : 0;
}

/**
 * wish_for() - A page table as the kernel is asked for it
 */
static struct kernel_hwpt wish_for(const struct lease *lease,
				   const struct page_table *table)
{
	struct kernel_hwpt wish = {
		.data_type = table->data_type,
		.data = table->n_data ? table->data : NULL,
		.data_len = (uint32_t)table->n_data,
		.fault_id = table->fault_id,
	};

	if (table->nest_parent)
		wish.flags |= UAPI_HWPT_ALLOC_NEST_PARENT;
	if (table->dirty_tracking)
		wish.flags |= UAPI_HWPT_ALLOC_DIRTY_TRACKING;
	if (table->pasid)
		wish.flags |= UAPI_HWPT_ALLOC_PASID;
	if (table->faults)
		wish.flags |= UAPI_HWPT_FAULT_ID_VALID;
	id_of(lease, table, &wish);
	return wish;
}

/**
 * make_faults() - Make a page table's fault queue
 * @iommufd:	Where
 * @table:	Gets the kernel's id
 */
static int make_faults(struct host *host, int iommufd,
		       struct page_table *table, struct error *err)
{
	int fd, r;

	if (!table->faults)
		return 0;
	r = host->kernel->ops->fault_queue_alloc(host->kernel, iommufd,
						 &table->fault_id, &fd, err);
	if (r < 0)
		return r;
	return fault_queue_keep_consume(host, table->name, fd, false, err);
}

/**
 * end_faults() - End a page table's fault queue, if it has one
 *
 * Its holder may have it open, which keeps it: then it ends with that, and the
 * iommufd.
 */
static void end_faults(struct host *host, int iommufd,
		       const struct page_table *table)
{
	fault_queue_drop(host, table->name);
	if (table->fault_id)
		(void)host->kernel->ops->destroy(host->kernel, iommufd,
						 table->fault_id, NULL);
}

/**
 * context_add_table() - See context-tables.h
 */
int context_add_table(struct host *host, const struct lease *lease,
		      struct page_table *table, struct error *err)
{
	int iommufd = context_iommufd(host, lease, err);
	struct kernel_hwpt wish;
	int r;

	if (iommufd < 0)
		return iommufd;
	r = make_faults(host, iommufd, table, err);
	if (r == 0) {
		wish = wish_for(lease, table);
		r = host->kernel->ops->hwpt_alloc(host->kernel, iommufd, &wish,
						  &table->kernel_id, err);
	}
	if (r < 0) {
		end_faults(host, iommufd, table);
		table->fault_id = 0;
		table->kernel_id = 0;
	}
	return r;
}

/* --- looking --- */

/**
 * is_host() - Has the kernel a page table of a host's by this id?
 *
 * What it says of a page that is read without clearing it does not matter: it
 * looks for the page table first.
 */
static bool is_host(struct host *host, int iommufd, uint32_t id)
{
	uint64_t bitmap = 0;

	return host->kernel->ops->hwpt_get_dirty(host->kernel, iommufd, id, 0,
						 SOME_PAGE, SOME_PAGE, true,
						 &bitmap, NULL) != -ENOENT;
}

/**
 * is_other() - Has the kernel a space or a device by this id?
 */
static bool is_other(struct host *host, int iommufd, uint32_t id)
{
	const struct kernel_ops *k = host->kernel->ops;
	struct kernel_hw_info info;
	struct kernel_range *ranges;
	uint64_t alignment;
	size_t n;

	if (k->hw_info(host->kernel, iommufd, id, &info, NULL) != -ENOENT)
		return true;
	if (k->ioas_ranges(host->kernel, iommufd, id, &ranges, &n, &alignment,
			   NULL) < 0)
		return false;
	free(ranges);
	return true;
}

/**
 * is_guest() - Has the kernel a page table of a guest's by this id?
 * @data_type:	Of which type
 *
 * No entry is invalidated. It refuses a type of entries that the driver does not
 * know as it refuses what is no page table, and of types that are not known here
 * neither is that of their entries.
 */
static bool is_guest(struct host *host, int iommufd, uint32_t id,
		     uint32_t data_type)
{
	const bool known = page_table_data_size(data_type);
	uint32_t n = 0;
	int r;

	r = host->kernel->ops->hwpt_invalidate(host->kernel, iommufd, id, 0,
					       NULL, 0, &n, NULL);
	if (r == -EINVAL && !known)
		return !is_host(host, iommufd, id) &&
		       !is_other(host, iommufd, id);
	return r != -ENOENT && r != -EINVAL;
}

/**
 * is_known() - Has the kernel such a page table?
 */
static bool is_known(struct host *host, int iommufd,
		     const struct page_table *table)
{
	if (!table->kernel_id)
		return false;
	if (table->data_type == PAGE_TABLE_HOST)
		return is_host(host, iommufd, table->kernel_id);
	return is_guest(host, iommufd, table->kernel_id, table->data_type);
}

/**
 * context_drop_table() - See context-tables.h
 */
int context_drop_table(struct host *host, const struct lease *lease,
		       const struct page_table *table, struct error *err)
{
	int r, iommufd = context_iommufd(host, lease, err);

	if (iommufd < 0)
		return iommufd;
	r = table->kernel_id ?
		host->kernel->ops->destroy(host->kernel, iommufd,
					   table->kernel_id, err) : 0;
	if (r == -EBUSY) {
		error_set(err, r, ERROR_PAGETABLE_IN_USE,
			  "%s is in use: the lease's holder has made something of it, or put a device on it",
			  table->name);
		error_object(err, "%s", table->name);
	}
	/* Is it there still? */
	if (r < 0 && r != -ENOENT && is_known(host, iommufd, table))
		return r;
	end_faults(host, iommufd, table);
	return 0;
}

/**
 * context_check_table() - See context-tables.h
 */
int context_check_table(struct host *host, const struct lease *lease,
			const struct page_table *table, struct error *err)
{
	int iommufd = context_iommufd(host, lease, err);

	if (iommufd < 0)
		return iommufd;
	if (is_known(host, iommufd, table))
		return 0;
	return error_set(err, -ENOENT, ERROR_PAGETABLE_KERNEL_ID,
			 "%s has no page table %u of a %s",
			 lease->name, table->kernel_id,
			 table->data_type == PAGE_TABLE_HOST ? "host's" :
							       "guest's");
}

/**
 * context_read_table() - See context-tables.h
 */
int context_read_table(struct host *host, const struct lease *lease,
		       struct page_table *table, struct error *err)
{
	int iommufd = context_iommufd(host, lease, err);

	if (iommufd < 0)
		return iommufd;
	if (table->kernel_id && !is_known(host, iommufd, table)) {
		table->kernel_id = 0;
		table->n_bindings = 0;
		table->dirty_on = false;
	}
	return 0;
}

/**
 * context_knows_tables() - See context-tables.h
 */
bool context_knows_tables(struct host *host, int iommufd,
			  const struct lease *lease)
{
	for (size_t i = 0; i < lease->n_tables; i++)
		if (lease->tables[i].n_bindings &&
		    !is_known(host, iommufd, &lease->tables[i]))
			return false;
	return true;
}

/* --- PASIDs --- */

/**
 * place_of() - What the DMA of a device with a PASID is on
 *
 * Return: the kernel's id; 0 for nothing.
 */
static uint32_t place_of(const struct lease *lease, const char *device,
			 uint32_t pasid)
{
	for (size_t i = 0; i < lease->n_tables; i++)
		if (page_table_is_on(&lease->tables[i], device, pasid))
			return lease->tables[i].kernel_id;
	return 0;
}

/**
 * set_pasid() - Put the DMA of a device with a PASID on something
 * @pt_id:	0 to take it off what it is on
 */
static int set_pasid(struct host *host, const struct lease *lease,
		     const char *device, uint32_t pasid, uint32_t pt_id,
		     struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	int r, cdev = context_cdev(host, lease, device, err);
	uint32_t id;

	if (cdev < 0)
		return cdev;
	r = pt_id ? k->vfio_attach_pasid(host->kernel, cdev, pasid, pt_id,
					 &id, err) :
		    k->vfio_detach_pasid(host->kernel, cdev, pasid, err);
	if (r < 0)
		error_object(err, "%s", device);
	return r;
}

/**
 * put_back() - Put it where a lease has it
 */
static void put_back(struct host *host, const struct lease *before,
		     const char *device, uint32_t pasid)
{
	struct error err = ERROR_NULL;

	if (set_pasid(host, before, device, pasid,
		      place_of(before, device, pasid), &err) < 0)
		log_problem(LOG_LEVEL_ERROR, &err,
			    "%s, PASID %u: cannot be put back where it was",
			    device, pasid);
}

/**
 * context_bind_pasid() - See context-tables.h
 */
int context_bind_pasid(struct host *host, const struct lease *lease,
		       const struct strv *devices,
		       const struct page_table *table, uint32_t pasid,
		       struct error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < devices->n && r == 0; i++)
		r = set_pasid(host, lease, devices->items[i], pasid,
			      table->kernel_id, err);
	/* The one that was refused, too: it does not hurt where it was. */
	while (r < 0 && i-- > 0)
		put_back(host, lease, devices->items[i], pasid);
	return r;
}

/**
 * context_unbind_pasid() - See context-tables.h
 */
int context_unbind_pasid(struct host *host, const struct lease *lease,
			 const struct strv *devices, uint32_t pasid,
			 struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < devices->n && r == 0; i++)
		r = set_pasid(host, lease, devices->items[i], pasid, 0, err);
	return r;
}

/**
 * context_put_back_pasid() - See context-tables.h
 */
void context_put_back_pasid(struct host *host, const struct lease *before,
			    const struct strv *devices, uint32_t pasid)
{
	for (size_t i = 0; i < devices->n; i++)
		put_back(host, before, devices->items[i], pasid);
}

/* --- all of them --- */

/**
 * bind_again() - Put those who were on a page table on the one made anew
 */
static int bind_again(struct host *host, const struct lease *lease,
		      const struct page_table *table, struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	int r = 0;

	for (size_t i = 0; i < table->n_bindings && r == 0; i++) {
		const struct table_binding *one = &table->bindings[i];
		int cdev = context_cdev(host, lease, one->device, err);
		uint32_t id;

		if (cdev < 0)
			return cdev;
		r = one->pasid ?
			set_pasid(host, lease, one->device, one->pasid,
				  table->kernel_id, err) :
			k->vfio_attach(host->kernel, cdev, table->kernel_id,
				       &id, err);
	}
	return r;
}

/**
 * context_make_tables() - See context-tables.h
 *
 * Devices without a PASID come first: what PASIDs are bound beside has to take
 * them.
 */
int context_make_tables(struct host *host, struct lease *lease,
			struct error *err)
{
	int r = 0;

	for (size_t i = lease->n_tables; i-- > 0;)
		if (lease->tables[i].registered)
			lease_drop_table(lease, i);
	for (size_t i = 0; i < lease->n_tables && r == 0; i++) {
		lease->tables[i].dirty_on = false;
		r = context_add_table(host, lease, &lease->tables[i], err);
	}
	for (size_t i = 0; i < lease->n_tables && r == 0; i++)
		r = bind_again(host, lease, &lease->tables[i], err);
	return r;
}

/**
 * context_detach_pasids() - See context-tables.h
 */
int context_detach_pasids(struct host *host, const struct lease *lease,
			  struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = 0;

	for (size_t i = 0; i < lease->n_tables; i++) {
		const struct page_table *table = &lease->tables[i];

		for (size_t k = 0; k < table->n_bindings; k++) {
			if (!table->bindings[k].pasid)
				continue;
			r = set_pasid(host, lease, table->bindings[k].device,
				      table->bindings[k].pasid, 0, &each);
			if (r == 0 || first < 0)
				continue;
			first = r;
			if (err)
				*err = each;
		}
	}
	return first;
}

/**
 * context_end_tables() - See context-tables.h
 */
void context_end_tables(struct host *host, const struct lease *lease)
{
	for (size_t i = lease->n_tables; i-- > 0;)
		(void)context_drop_table(host, lease, &lease->tables[i],
					 NULL); /* see the contract */
}

/**
 * context_adopt_faults() - See context-tables.h
 */
void context_adopt_faults(struct host *host, const struct lease *lease)
{
	for (size_t i = 0; i < lease->n_tables; i++) {
		const struct page_table *table = &lease->tables[i];

		if (table->faults && !fault_queue_adopt(host, table->name))
			log_warning("%s: nobody has kept its fault queue",
				    table->name);
	}
}

/**
 * context_drop_faults() - See context-tables.h
 */
void context_drop_faults(struct host *host, const struct lease *lease)
{
	for (size_t i = 0; i < lease->n_tables; i++)
		fault_queue_drop(host, lease->tables[i].name);
}
