/* SPDX-License-Identifier: Apache-2.0
 *
 * view.h - what clients see: objects of the model as messages of the contract
 *
 * Everything is copied, so a view outlives the registry's lock, under which
 * all of these are to be called. A view that there is no memory for is NULL or
 * lacks something: ask arena_ok() before it is sent. One object always fits a
 * packet: of steps that are too many the oldest are left out, and a step in
 * their place says so; of names only the first VIEW_NAMES are shown, of ranges
 * the first VIEW_RANGES.
 */
#ifndef IOASIDD_FRONT_VIEW_H
#define IOASIDD_FRONT_VIEW_H

#include "base/arena.h"
#include "front/codec.h"
#include "front/contract.h"
#include "model/registry.h"
#include "ops/host.h"

/* What building one reply may take; a list of the longest page takes 2 MiB. */
#define VIEW_BUDGET (8 << 20)

/* Names in one list of an object: an IOMMU may have thousands of functions
 * behind it. At 64 bytes they are half of what a packet carries.
 */
#define VIEW_NAMES 2048

/* Bytes of steps in one object. A lease with many spaces has less room. */
#define VIEW_STEPS_SIZE (MESSAGE_MAX * 5 / 8)

/* Ranges of one space: the kernel has no limit for them, and no machine has as
 * many.
 */
#define VIEW_RANGES 128

#define PAGE_SIZE_DEFAULT 100
#define PAGE_SIZE_MAX 1000

pb_device *view_device(struct arena *arena, struct registry *reg,
		       const struct device *device);
pb_group *view_group(struct arena *arena, const struct group *group);
pb_iommu *view_iommu(struct arena *arena, struct registry *reg,
		     const struct iommu *iommu);
pb_lease *view_lease(struct arena *arena, struct registry *reg,
		     const struct lease *lease);
/* view_nodes() - Into the view of a lease: its nodes, and what goes with them. */
void view_nodes(struct arena *arena, struct registry *reg,
		const struct lease *lease, pb_lease *ret);
pb_operation *view_operation(struct arena *arena, const struct operation *op);
pb_space *view_space(struct arena *arena, const struct lease *lease,
		     const struct space *space);
pb_page_table *view_page_table(struct arena *arena, const struct lease *lease,
			       const struct page_table *table);
pb_timestamp *view_time(struct arena *arena, uint64_t us);
char *view_etag(struct arena *arena, uint64_t revision);

/* view_array() - Room for @n pointers; NULL if @n is 0 or there is no memory. */
void *view_array(struct arena *arena, size_t n);

/* view_causes() - What stands in the way, as an error names it. */
pb_cause **view_causes(struct arena *arena, const struct error *err,
		       size_t *ret_n);

/**
 * view_steps() - Steps, the newest if not all of them fit
 * @arena:	Where they go
 * @op:		Whose; NULL for none
 * @room:	Bytes that they may have
 * @ret_n:	How many
 */
pb_step **view_steps(struct arena *arena, const struct operation *op,
		     size_t room, size_t *ret_n);

/**
 * enum collection - What can be listed, and in which order
 * @COLLECTION_DEVICES:		By name
 * @COLLECTION_GROUPS:		By name
 * @COLLECTION_IOMMUS:		By name
 * @COLLECTION_LEASES:		Newest first
 * @COLLECTION_OPERATIONS:	Newest first
 * @COLLECTION_SPACES:		Newest first
 * @COLLECTION_PAGE_TABLES:	Newest first
 */
enum collection {
	COLLECTION_DEVICES,
	COLLECTION_GROUPS,
	COLLECTION_IOMMUS,
	COLLECTION_LEASES,
	COLLECTION_OPERATIONS,
	COLLECTION_SPACES,
	COLLECTION_PAGE_TABLES,
	COLLECTION_COUNT
};

/* collection_prefix() - "devices/" and so on. */
const char *collection_prefix(enum collection collection);

/**
 * collection_name_valid() - Could this be the name of an object?
 *
 * Return: true if @name is the prefix and one or more of [a-z0-9.-], and short
 * enough for a resource name.
 */
bool collection_name_valid(enum collection collection, const char *name);

/* view_device_state(), view_lease_state(), view_operation_state() - The
 * contract's number of where an object stands.
 */
int view_device_state(const struct device *device);
int view_lease_state(const struct lease *lease);
int view_operation_state(const struct operation *op);

/**
 * struct filter - Which of a collection are listed; nothing set for all
 * @state:	Only those in this state, the contract's number; 0 for any
 * @driver:	Devices: only those with this driver, "none" for those without;
 *		empty for any
 * @by_vendor:	Devices: only those of @vendor
 * @by_device:	Likewise of @device
 * @group:	Devices: only those of this group; empty for any
 * @by_node:	Devices: only those of NUMA node @node
 * @lease:	Spaces, page tables: only those of this lease; empty for any
 */
struct filter {
	int state;
	const char *driver;
	bool by_vendor, by_device;
	uint16_t vendor, device;
	const char *group;
	bool by_node;
	int node;
	const char *lease;
};

/**
 * struct page - A page of a list: what was asked for, and what there is
 * @size:	How many at most; 0 for PAGE_SIZE_DEFAULT
 * @token:	Where the page before ended; empty for the first
 * @all:	Also what is hidden otherwise: bridges and what no IOMMU
 *		isolates; ended leases
 * @filter:	Which of them
 * @caller:	Sees only what it may
 * @items:	Result: views; @n_items of them
 * @next:	Result: token of the next page; empty on the last
 * @revision:	Result: what the page is of
 */
struct page {
	uint32_t size;
	const char *token;
	bool all;
	struct filter filter;
	const struct caller *caller;
	ProtobufCMessage **items;
	size_t n_items;
	char *next;
	uint64_t revision;
};

/**
 * view_page() - Make a page of a list that fits a packet
 *
 * The token is the name of the last object shown, so a list stays in step
 * while objects come and go.
 *
 * Return: 0; -EINVAL request.invalid, list.bad-token; -ENOMEM
 * daemon.no-memory.
 */
int view_page(struct arena *arena, struct registry *reg,
	      enum collection collection, struct page *page,
	      struct error *err);

#endif
