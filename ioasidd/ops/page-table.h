/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table.h - what page-table.c, page-table-bind.c and page-table-use.c share
 */
#ifndef IOASIDD_OPS_PAGE_TABLE_H
#define IOASIDD_OPS_PAGE_TABLE_H

#include "ops/hold.h"

/**
 * page_table_begin() - Make the lease ours that has a page table
 * @change:	Names the page table
 * @ret:	Ends with hold_end(); has the page table
 *
 * Return: as hold_begin(); -ENOENT pagetable.not-found.
 */
int page_table_begin(struct host *host, const struct caller *caller,
		     const struct change *change, struct hold_change *ret,
		     struct error *err);

/**
 * page_table_cannot() - Say that a device's IOMMU cannot do something
 * @device:	The device
 * @what:	"make a page table with dirty tracking"
 *
 * Return: -EOPNOTSUPP pagetable.unsupported.
 */
int page_table_cannot(const struct device *device, const char *what,
		      struct error *err);

#endif
