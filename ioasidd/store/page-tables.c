/* SPDX-License-Identifier: Apache-2.0
 *
 * page-tables.c - the page tables of a lease, into rows and out of them
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "store/rows.h"

/* --- in --- */

/**
 * put_lists() - Write who is on a page table, and its labels
 * @tx:		The transaction
 * @table:	Its row is there, and none of these
 *
 * Return: 0 or as db_error().
 */
static int put_lists(struct store_tx *tx, const struct page_table *table,
		     struct error *err)
{
	struct put p;
	int r = 0;

	for (size_t i = 0; i < table->n_bindings && !r; i++) {
		p = put_begin(tx, DB_PUT_TABLE_BINDING);
		put_text(&p, table->name);
		put_number(&p, i);
		put_text(&p, table->bindings[i].device);
		put_number(&p, table->bindings[i].pasid);
		r = put_end(&p, "write who is on a page table", err);
	}
	for (size_t i = 0; i + 1 < table->labels.n && !r; i += 2) {
		p = put_begin(tx, DB_PUT_TABLE_LABEL);
		put_text(&p, table->name);
		put_text(&p, table->labels.items[i]);
		put_text(&p, table->labels.items[i + 1]);
		r = put_end(&p, "write a page table's label", err);
	}

	return r;
}

/**
 * put_table() - Write one page table
 * @tx:		The transaction
 * @lease:	The lease's name
 * @number:	Which one
 * @table:	The page table
 *
 * Return: 0 or as db_error().
 */
static int put_table(struct store_tx *tx, const char *lease, size_t number,
		     const struct page_table *table, struct error *err)
{
	struct put p = put_begin(tx, DB_PUT_TABLE);
	int r;

	put_text(&p, lease);
	put_number(&p, number);
	put_text(&p, table->name);
	put_text(&p, table->parent);
	put_text(&p, table->device);
	put_number(&p, table->nest_parent);
	put_number(&p, table->dirty_tracking);
	put_number(&p, table->pasid);
	put_number(&p, table->data_type);
	put_blob(&p, table->data, table->n_data);
	put_number(&p, table->registered);
	put_number(&p, table->faults);
	put_number(&p, table->dirty_on);
	put_number(&p, table->kernel_id);
	put_number(&p, table->fault_id);
	put_number(&p, table->created_us);
	put_text(&p, table->request_id);
	put_text(&p, table->fingerprint);
	put_text(&p, table->maker);
	r = put_end(&p, "write a page table", err);

	return r ? r : put_lists(tx, table, err);
}

/* store_put_tables() - See rows.h */
int store_put_tables(struct store_tx *tx, const struct lease *lease,
		     struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < lease->n_tables && !r; i++)
		r = put_table(tx, lease->name, i, &lease->tables[i], err);

	return r;
}

/* --- out --- */

/**
 * check_binding() - Can a device be on a page table of its lease with a PASID?
 * @g:		At the row
 */
static void check_binding(struct get *g, const struct lease *lease,
			  const struct page_table *table, const char *device,
			  uint32_t pasid)
{
	if (g->r)
		return;
	if (!strv_has(&lease->devices, device) ||
	    page_table_is_on(table, device, pasid) ||
	    (!pasid && (lease_space_of(lease, device) ||
			lease_table_of(lease, device))))
		bad(g, "is no device of the lease, or on something else");
}

/**
 * load_bindings() - Read who is on a page table
 * @lease:	Whose devices they are
 * @table:	@bindings is filled
 *
 * Return: 0 or -errno.
 */
static int load_bindings(struct db *db, const struct lease *lease,
			 struct page_table *table, struct error *err)
{
	struct get g = get_begin(db, DB_GET_TABLE_BINDINGS,
				 "page_table_binding", table->name, err);

	while (get_row(&g)) {
		char name[NAME_SIZE];
		uint32_t pasid;

		if (get_number(&g, PAGE_TABLE_BINDINGS_MAX - 1) !=
		    table->n_bindings)
			bad(&g, "is not the next one");
		get_text(&g, name, sizeof(name));
		pasid = (uint32_t)get_number(&g, PASID_MAX);
		check_binding(&g, lease, table, name, pasid);
		if (!g.r && page_table_bind(table, name, pasid) < 0)
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	return get_end(&g);
}

/**
 * get_table() - Read the columns of a page table
 * @g:		At a row
 * @lease:	What its names are of; with the page tables before it
 * @table:	Filled
 */
static void get_table(struct get *g, const struct lease *lease,
		      struct page_table *table)
{
	const struct page_table *parent;

	get_name(g, "pageTables/", table->name);
	get_text(g, table->parent, sizeof(table->parent));
	parent = lease_table(lease, table->parent);
	if (!g->r && !lease_space(lease, table->parent) &&
	    (!parent || !parent->nest_parent))
		bad(g, "is nothing of the lease that a page table hangs on");
	get_text(g, table->device, sizeof(table->device));
	if (!g->r && !strv_has(&lease->devices, table->device))
		bad(g, "is no device of the lease");
	table->nest_parent = get_number(g, 1);
	table->dirty_tracking = get_number(g, 1);
	table->pasid = get_number(g, 1);
	table->data_type = (uint32_t)get_number(g, UINT32_MAX);
	table->n_data = get_blob(g, table->data, sizeof(table->data));
	table->registered = get_number(g, 1);
	table->faults = get_number(g, 1);
	table->dirty_on = get_number(g, 1);
	table->kernel_id = (uint32_t)get_number(g, UINT32_MAX);
	table->fault_id = (uint32_t)get_number(g, UINT32_MAX);
	table->created_us = get_number(g, INT64_MAX);
	get_text(g, table->request_id, sizeof(table->request_id));
	get_text(g, table->fingerprint, sizeof(table->fingerprint));
	get_text(g, table->maker, sizeof(table->maker));
}

/* store_load_tables() - See rows.h */
int store_load_tables(struct db *db, struct lease *lease, struct error *err)
{
	struct get g = get_begin(db, DB_GET_TABLES, "page_table", lease->name,
				 err);
	int r;

	while (get_row(&g)) {
		struct page_table table = PAGE_TABLE_NULL;

		get_table(&g, lease, &table);
		if (lease->n_tables == PAGE_TABLES_MAX)
			bad(&g, "there are too many");
		if (!g.r && lease_add_table(lease, &table))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}
	r = get_end(&g);
	for (size_t i = 0; i < lease->n_tables && !r; i++) {
		r = load_bindings(db, lease, &lease->tables[i], err);
		if (!r)
			r = get_labels(db, DB_GET_TABLE_LABELS,
				       "page_table_label",
				       lease->tables[i].name,
				       PAGE_TABLE_LABELS_MAX,
				       &lease->tables[i].labels, err);
	}

	return r;
}
