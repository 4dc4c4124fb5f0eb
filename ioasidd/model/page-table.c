/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table.c - page tables and who is on them
 */
#include "model/page-table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * page_table_deinit() - See page-table.h
 */
void page_table_deinit(struct page_table *table)
{
	free(table->bindings);
	strv_deinit(&table->labels);
	*table = PAGE_TABLE_NULL;
}

/**
 * page_table_copy() - See page-table.h
 */
int page_table_copy(const struct page_table *table, struct page_table *ret)
{
	struct page_table copy = *table;
	int r = 0;

	copy.labels = STRV_NULL;
	copy.bindings = NULL;
	if (table->n_bindings) {
		copy.bindings = reallocarray(NULL, table->n_bindings,
					     sizeof(*copy.bindings));
		if (copy.bindings)
			memcpy(copy.bindings, table->bindings,
			       table->n_bindings * sizeof(*copy.bindings));
		else
			r = -ENOMEM;
	}
	if (r == 0)
		r = strv_copy(&table->labels, &copy.labels);
	if (r < 0)
		page_table_deinit(&copy);
	*ret = copy;
	return r;
}

/**
 * find() - The place of a binding
 *
 * Return: it; @n_bindings if there is none of it.
 */
static size_t find(const struct page_table *table, const char *device,
		   uint32_t pasid)
{
	size_t i;

	for (i = 0; i < table->n_bindings; i++)
		if (table->bindings[i].pasid == pasid &&
		    str_eq(table->bindings[i].device, device))
			break;
	return i;
}

/**
 * page_table_is_on() - See page-table.h
 */
bool page_table_is_on(const struct page_table *table, const char *device,
		      uint32_t pasid)
{
	return find(table, device, pasid) < table->n_bindings;
}

/**
 * page_table_bind() - See page-table.h
 */
int page_table_bind(struct page_table *table, const char *device,
		    uint32_t pasid)
{
	struct table_binding *more;

	if (page_table_is_on(table, device, pasid))
		return 0;
	if (table->n_bindings == PAGE_TABLE_BINDINGS_MAX)
		return -E2BIG;
	more = reallocarray(table->bindings, table->n_bindings + 1,
			    sizeof(*more));
	if (!more)
		return -ENOMEM;
	table->bindings = more;
	more += table->n_bindings++;
	(void)str_copy(more->device, sizeof(more->device),
		       device); /* as long */
	more->pasid = pasid;
	return 0;
}

/**
 * page_table_unbind() - See page-table.h
 */
void page_table_unbind(struct page_table *table, const char *device,
		       uint32_t pasid)
{
	size_t i = find(table, device, pasid);

	if (i == table->n_bindings)
		return;
	table->n_bindings--;
	memmove(table->bindings + i, table->bindings + i + 1,
		(table->n_bindings - i) * sizeof(*table->bindings));
}

/**
 * page_table_data_size() - See page-table.h
 *
 * The sizes of struct iommu_hwpt_vtd_s1 and iommu_hwpt_arm_smmuv3 in
 * <linux/iommufd.h>.
 */
size_t page_table_data_size(uint32_t data_type)
{
	switch (data_type) {
	case PAGE_TABLE_VTD_S1:
		return 24;
	case PAGE_TABLE_ARM_SMMUV3:
		return 16;
	default: /* the kernel's enum, which grows without us */
		return 0;
	}
}
