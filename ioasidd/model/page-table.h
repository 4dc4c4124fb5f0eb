/* SPDX-License-Identifier: Apache-2.0
 *
 * page-table.h - page tables of a lease that ioasidd keeps, made on purpose
 *
 * Pure. A page table is part of its lease, as a space is (model/space.h), and is
 * guarded and copied with it. It hangs on a space, or on a page table that is a
 * nest parent, which it names; the lease has both.
 */
#ifndef IOASIDD_MODEL_PAGE_TABLE_H
#define IOASIDD_MODEL_PAGE_TABLE_H

#include "base/str.h"
#include "model/device.h"
#include "model/request.h"

/* Of one lease. */
#define PAGE_TABLES_MAX 64

/* Of one page table. */
#define PAGE_TABLE_LABELS_MAX 16
#define PAGE_TABLE_DATA_MAX 256

/* Of one page table: each device of a lease without a PASID, and as many
 * PASIDs.
 */
#define PAGE_TABLE_BINDINGS_MAX 128

/* PASIDs have 20 bits (PCIe), and 0 is the device's own DMA (IOMMU_NO_PASID). */
#define PASID_MAX ((1u << 20) - 1)

/* enum iommu_hwpt_data_type of <linux/iommufd.h>, as far as it is known here. */
enum {
	PAGE_TABLE_HOST = 0,
	PAGE_TABLE_VTD_S1 = 1,
	PAGE_TABLE_ARM_SMMUV3 = 2,
};

/**
 * struct table_binding - A device on a page table
 * @device:	Its name
 * @pasid:	Of the DMA that goes through it; 0 for that without one
 */
struct table_binding {
	char device[NAME_SIZE];
	uint32_t pasid;
};

/**
 * struct page_table - One page table
 * @name:	"pageTables/<ULID>"
 * @parent:	Name of the space or page table that it hangs on
 * @device:	Name of the device that it was made for
 * @nest_parent: A guest's can hang on it
 * @dirty_tracking: What is written through it can be recorded
 * @pasid:	It takes PASIDs
 * @data_type:	enum iommu_hwpt_data_type; PAGE_TABLE_HOST for a host's
 * @data:	The guest's, @n_data bytes; none if its holder has made it
 * @registered:	Its holder has made it
 * @faults:	It has a fault queue
 * @dirty_on:	What is written is being recorded, as far as we know
 * @kernel_id:	In the lease's iommufd; 0 if there is none now
 * @fault_id:	Likewise its fault queue
 * @bindings:	Who is on it; @n_bindings of them
 * @labels:	Pairs: key, value, key, value
 * @created_us:	When it was made
 * @request_id:	Of the request that made it; empty for none
 * @fingerprint: Of that request
 * @maker:	Who asked for it, see struct caller
 */
struct page_table {
	char name[NAME_SIZE];
	char parent[NAME_SIZE];
	char device[NAME_SIZE];
	bool nest_parent, dirty_tracking, pasid;
	uint32_t data_type;
	uint8_t data[PAGE_TABLE_DATA_MAX];
	size_t n_data;
	bool registered;
	bool faults;
	bool dirty_on;
	uint32_t kernel_id;
	uint32_t fault_id;
	struct table_binding *bindings;
	size_t n_bindings;
	struct strv labels;
	uint64_t created_us;
	char request_id[REQUEST_ID_MAX + 1];
	char fingerprint[REQUEST_FINGERPRINT_SIZE];
	char maker[PRINCIPAL_SIZE];
};

#define PAGE_TABLE_NULL ((struct page_table){ .labels = STRV_NULL })

/* page_table_deinit() - Free what it has; it is empty afterwards. */
void page_table_deinit(struct page_table *table);

#define _cleanup_page_table_ __attribute__((cleanup(page_table_deinit)))

/* page_table_copy() - Copy all of it. Return: 0; -ENOMEM: @ret is empty. */
int page_table_copy(const struct page_table *table, struct page_table *ret);

/* page_table_is_on() - Is a device on it, with this PASID? */
bool page_table_is_on(const struct page_table *table, const char *device,
		      uint32_t pasid);

/* page_table_bind() - A device is on it from now on. Is it already: 0. Return: 0;
 * -ENOMEM; -E2BIG: PAGE_TABLE_BINDINGS_MAX are.
 */
int page_table_bind(struct page_table *table, const char *device,
		    uint32_t pasid);

/* page_table_unbind() - It is on it no more; or never was. */
void page_table_unbind(struct page_table *table, const char *device,
		       uint32_t pasid);

/* page_table_data_size() - How many bytes describe a guest's page table of a
 * type; 0 if that is not known here.
 */
size_t page_table_data_size(uint32_t data_type);

#endif
