/* SPDX-License-Identifier: Apache-2.0
 *
 * lease.c - leases and their holders
 */
#include <assert.h>
#include <string.h>

#include "model/lease.h"
#include "model/table.h"

static const char *const state_names[] = {
	[LEASE_OFFERED] = "offered",
	[LEASE_CLAIMING] = "claiming",
	[LEASE_HELD] = "held",
	[LEASE_RECLAIMING] = "reclaiming",
	[LEASE_ENDED] = "ended",
};
static_assert(ARRAY_SIZE(state_names) == LEASE_STATE_COUNT, "every state");

static const char *const mode_names[] = {
	[LEASE_TRANSFER] = "transfer",
	[LEASE_HOLD] = "hold",
	[LEASE_GUARDED] = "guarded",
};
static_assert(ARRAY_SIZE(mode_names) == LEASE_MODE_COUNT, "every mode");

/**
 * lease_new() - See lease.h
 */
struct lease *lease_new(void)
{
	return calloc(1, sizeof(struct lease));
}

/**
 * copy_spaces() - Copy the spaces of a lease
 * @lease:	The lease
 * @copy:	Has none
 *
 * Return: 0 or -ENOMEM.
 */
static int copy_spaces(const struct lease *lease, struct lease *copy)
{
	struct space space;
	size_t i;
	int r = 0;

	for (i = 0; i < lease->n_spaces && r == 0; i++) {
		r = space_copy(&lease->spaces[i], &space);
		if (r == 0)
			r = lease_add_space(copy, &space);
		if (r < 0)
			space_deinit(&space);
	}
	return r;
}

/**
 * copy_tables() - Copy the page tables of a lease
 * @lease:	The lease
 * @copy:	Has none
 *
 * Return: 0 or -ENOMEM.
 */
static int copy_tables(const struct lease *lease, struct lease *copy)
{
	struct page_table table;
	size_t i;
	int r = 0;

	for (i = 0; i < lease->n_tables && r == 0; i++) {
		r = page_table_copy(&lease->tables[i], &table);
		if (r == 0)
			r = lease_add_table(copy, &table);
		if (r < 0)
			page_table_deinit(&table);
	}
	return r;
}

/**
 * lease_copy() - See lease.h
 */
struct lease *lease_copy(const struct lease *lease)
{
	struct lease *copy = malloc(sizeof(*copy));
	size_t i;
	int r;

	if (!copy)
		return NULL;
	*copy = *lease;
	copy->devices = STRV_NULL;
	copy->labels = STRV_NULL;
	copy->holders = NULL;
	copy->n_holders = 0;
	copy->spaces = NULL;
	copy->n_spaces = 0;
	copy->mapped = mapped_ref(lease->mapped);
	copy->tables = NULL;
	copy->n_tables = 0;
	copy->nodes = NULL;
	copy->n_nodes = 0;

	r = strv_copy(&lease->devices, &copy->devices);
	if (r == 0)
		r = strv_copy(&lease->labels, &copy->labels);
	if (r == 0)
		r = copy_spaces(lease, copy);
	if (r == 0)
		r = copy_tables(lease, copy);
	for (i = 0; i < lease->n_nodes && r == 0; i++)
		r = lease_add_node(copy, &lease->nodes[i]);
	for (i = 0; i < lease->n_holders && r == 0; i++)
		r = lease_add_holder(copy, &lease->holders[i]);
	return r < 0 ? lease_free(copy) : copy;
}

/**
 * lease_free() - See lease.h
 */
struct lease *lease_free(struct lease *lease)
{
	if (!lease)
		return NULL;
	strv_deinit(&lease->devices);
	strv_deinit(&lease->labels);
	while (lease->n_spaces)
		lease_drop_space(lease, lease->n_spaces - 1);
	free(lease->spaces);
	while (lease->n_tables)
		lease_drop_table(lease, lease->n_tables - 1);
	free(lease->tables);
	lease_drop_nodes(lease);
	free(lease->holders);
	mapped_unref(lease->mapped);
	free(lease);
	return NULL;
}

/**
 * lease_add_holder() - See lease.h
 */
int lease_add_holder(struct lease *lease, const struct holder *holder)
{
	struct holder *more;

	if (lease->n_holders == LEASE_HOLDERS_MAX)
		memmove(lease->holders, lease->holders + 1,
			--lease->n_holders * sizeof(*lease->holders));
	more = reallocarray(lease->holders, lease->n_holders + 1,
			    sizeof(*more));
	if (!more)
		return -ENOMEM;
	lease->holders = more;
	lease->holders[lease->n_holders++] = *holder;
	return 0;
}

/**
 * lease_add_node() - See lease.h
 */
int lease_add_node(struct lease *lease, const struct lease_node *node)
{
	struct lease_node *more;

	more = reallocarray(lease->nodes, lease->n_nodes + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	lease->nodes = more;
	lease->nodes[lease->n_nodes++] = *node;
	return 0;
}

/**
 * lease_drop_nodes() - See lease.h
 */
void lease_drop_nodes(struct lease *lease)
{
	free(lease->nodes);
	lease->nodes = NULL;
	lease->n_nodes = 0;
}

/**
 * lease_is_open() - See lease.h
 */
bool lease_is_open(const struct lease *lease)
{
	for (size_t i = 0; i < lease->n_nodes; i++)
		if (lease->nodes[i].open)
			return true;
	return false;
}

/**
 * lease_add_space() - See lease.h
 */
int lease_add_space(struct lease *lease, struct space *space)
{
	struct space *more;

	more = reallocarray(lease->spaces, lease->n_spaces + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	lease->spaces = more;
	lease->spaces[lease->n_spaces++] = *space;
	*space = SPACE_NULL;
	return 0;
}

/**
 * lease_drop_space() - See lease.h
 */
void lease_drop_space(struct lease *lease, size_t i)
{
	space_deinit(&lease->spaces[i]);
	memmove(lease->spaces + i, lease->spaces + i + 1,
		(--lease->n_spaces - i) * sizeof(*lease->spaces));
}

/**
 * lease_is_kept() - See lease.h
 */
bool lease_is_kept(const struct lease *lease)
{
	return lease->mode == LEASE_HOLD || lease->mode == LEASE_GUARDED;
}

/**
 * lease_space() - See lease.h
 */
struct space *lease_space(const struct lease *lease, const char *name)
{
	for (size_t i = 0; i < lease->n_spaces; i++)
		if (str_eq(lease->spaces[i].name, name))
			return &lease->spaces[i];
	return NULL;
}

/**
 * lease_space_of() - See lease.h
 */
struct space *lease_space_of(const struct lease *lease, const char *device)
{
	for (size_t i = 0; i < lease->n_spaces; i++)
		if (strv_has(&lease->spaces[i].devices, device))
			return &lease->spaces[i];
	return NULL;
}

/**
 * lease_add_table() - See lease.h
 */
int lease_add_table(struct lease *lease, struct page_table *table)
{
	struct page_table *more;

	more = reallocarray(lease->tables, lease->n_tables + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	lease->tables = more;
	lease->tables[lease->n_tables++] = *table;
	*table = PAGE_TABLE_NULL;
	return 0;
}

/**
 * lease_drop_table() - See lease.h
 */
void lease_drop_table(struct lease *lease, size_t i)
{
	page_table_deinit(&lease->tables[i]);
	lease->n_tables--;
	memmove(lease->tables + i, lease->tables + i + 1,
		(lease->n_tables - i) * sizeof(*lease->tables));
}

/**
 * lease_table() - See lease.h
 */
struct page_table *lease_table(const struct lease *lease, const char *name)
{
	for (size_t i = 0; i < lease->n_tables; i++)
		if (str_eq(lease->tables[i].name, name))
			return &lease->tables[i];
	return NULL;
}

/**
 * lease_table_of() - See lease.h
 */
struct page_table *lease_table_of(const struct lease *lease,
				  const char *device)
{
	for (size_t i = 0; i < lease->n_tables; i++)
		if (page_table_is_on(&lease->tables[i], device, 0))
			return &lease->tables[i];
	return NULL;
}

/**
 * lease_place_of() - See lease.h
 */
uint32_t lease_place_of(const struct lease *lease, const char *device)
{
	const struct space *space = lease_space_of(lease, device);
	const struct page_table *table = lease_table_of(lease, device);

	return space ? space->kernel_id : table ? table->kernel_id : 0;
}

/**
 * lease_root_of() - See lease.h
 *
 * Parents come before what hangs on them, so this ends.
 */
struct space *lease_root_of(const struct lease *lease,
			    const struct page_table *table)
{
	const struct page_table *parent;

	while ((parent = lease_table(lease, table->parent)) && parent < table)
		table = parent;
	return lease_space(lease, table->parent);
}

/**
 * lease_users_of() - See lease.h
 */
int lease_users_of(const struct lease *lease, const struct space *space,
		   struct strv *ret)
{
	int r = 0;

	for (size_t i = 0; i < lease->devices.n && r == 0; i++) {
		const char *device = lease->devices.items[i];
		bool uses = strv_has(&space->devices, device);

		for (size_t k = 0; k < lease->n_tables && !uses; k++) {
			const struct page_table *table = &lease->tables[k];

			if (lease_root_of(lease, table) != space)
				continue;
			for (size_t n = 0; n < table->n_bindings; n++)
				uses |= str_eq(table->bindings[n].device,
					       device);
		}
		if (uses)
			r = strv_add(ret, device);
	}
	return r;
}

/**
 * lease_move() - See lease.h
 */
void lease_move(struct lease *lease, const struct strv *devices,
		const char *but)
{
	for (size_t i = 0; i < devices->n; i++) {
		const char *device = devices->items[i];

		for (size_t k = 0; k < lease->n_spaces; k++)
			if (!but || !str_eq(lease->spaces[k].name, but))
				strv_remove(&lease->spaces[k].devices,
					    device);
		for (size_t k = 0; k < lease->n_tables; k++)
			if (!but || !str_eq(lease->tables[k].name, but))
				page_table_unbind(&lease->tables[k], device,
						  0);
	}
}

/**
 * lease_forget_ids() - See lease.h
 */
void lease_forget_ids(struct lease *lease)
{
	lease->n_device_ids = 0;
	for (size_t i = 0; i < lease->n_spaces; i++)
		lease->spaces[i].kernel_id = 0;
	for (size_t i = 0; i < lease->n_tables; i++) {
		lease->tables[i].kernel_id = 0;
		lease->tables[i].fault_id = 0;
		lease->tables[i].dirty_on = false;
	}
}

/**
 * lease_holder() - See lease.h
 */
struct holder *lease_holder(struct lease *lease)
{
	return lease->n_holders ? &lease->holders[lease->n_holders - 1] : NULL;
}

/**
 * lease_state_name() - See lease.h
 */
const char *lease_state_name(enum lease_state state)
{
	return state_names[state];
}

/**
 * lease_state_from_name() - See lease.h
 */
int lease_state_from_name(const char *name, enum lease_state *ret)
{
	int i = table_find(state_names, ARRAY_SIZE(state_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}

/**
 * lease_mode_name() - See lease.h
 */
const char *lease_mode_name(enum lease_mode mode)
{
	return mode_names[mode];
}

/**
 * lease_mode_from_name() - See lease.h
 */
int lease_mode_from_name(const char *name, enum lease_mode *ret)
{
	int i = table_find(mode_names, ARRAY_SIZE(mode_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}
