/* SPDX-License-Identifier: Apache-2.0
 *
 * page-tables.c - the methods of the PageTables service that show, make, bind and
 *		   end page tables; page-table-use.c has the others
 */
#include <errno.h>
#include <string.h>

#include "front/handlers.h"
#include "front/page-tables.h"
#include "ops/authorize.h"

/* --- what is shown --- */

/**
 * view_bindings() - Who is on a page table
 * @ret:	Its view
 */
static void view_bindings(struct arena *arena, const struct page_table *table,
			  pb_page_table *ret)
{
	ret->bindings = arena_alloc(arena, table->n_bindings *
					   sizeof(*ret->bindings));
	for (size_t i = 0; ret->bindings && i < table->n_bindings; i++) {
		Ioasid__V1__Binding *one = arena_message(arena, PB(binding));

		if (!one)
			return;
		one->device = arena_text(arena, table->bindings[i].device);
		one->pasid = table->bindings[i].pasid;
		ret->bindings[ret->n_bindings++] = one;
	}
}

/**
 * view_labels() - What its owner calls a page table
 * @ret:	Its view
 */
static void view_labels(struct arena *arena, const struct page_table *table,
			pb_page_table *ret)
{
	ret->labels = arena_alloc(arena, table->labels.n / 2 *
					 sizeof(*ret->labels));
	for (size_t i = 0; ret->labels && i + 1 < table->labels.n; i += 2) {
		Ioasid__V1__PageTable__LabelsEntry *one =
			arena_message(arena, PB(page_table__labels_entry));

		if (!one)
			return;
		one->key = arena_text(arena, table->labels.items[i]);
		one->value = arena_text(arena, table->labels.items[i + 1]);
		ret->labels[ret->n_labels++] = one;
	}
}

/* view_page_table() - See view.h */
pb_page_table *view_page_table(struct arena *arena, const struct lease *lease,
			       const struct page_table *table)
{
	pb_page_table *ret = arena_message(arena, PB(page_table));

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, table->name);
	ret->revision = lease->revision;
	ret->etag = view_etag(arena, lease->revision);
	ret->lease = arena_text(arena, lease->name);
	ret->parent = arena_text(arena, table->parent);
	ret->device = arena_text(arena, table->device);
	ret->nest_parent = table->nest_parent;
	ret->dirty_tracking = table->dirty_tracking;
	ret->pasid = table->pasid;
	ret->data_type = table->data_type;
	ret->registered = table->registered;
	ret->fault_queue = table->faults;
	ret->kernel_id = table->kernel_id;
	ret->dirty_tracking_on = table->dirty_on;
	view_bindings(arena, table, ret);
	view_labels(arena, table, ret);
	ret->created = view_time(arena, table->created_us);

	return ret;
}

/* page_table_view_now() - See page-tables.h */
int page_table_view_now(struct call *call, const char *name,
			pb_page_table **ret, struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct lease *lease;

	*ret = NULL;
	registry_lock(reg);
	lease = registry_lease_of_table(reg, name);
	if (lease && !lease_visible(reg, lease, call->caller))
		lease = NULL;
	if (lease)
		*ret = view_page_table(call->arena, lease,
				       lease_table(lease, name));
	registry_unlock(reg);

	if (lease)
		return 0;
	error_set(err, -ENOENT, ERROR_PAGETABLE_NOT_FOUND,
		  "there is no page table '%s'", name);
	error_object(err, "%s", name);
	return -ENOENT;
}

/* reply_page_table() - See page-tables.h */
int reply_page_table(struct call *call, const char *name, struct error *err)
{
	pb_page_table *reply;
	int r = page_table_view_now(call, name, &reply, err);

	return r < 0 ? r : handler_reply(call, reply, err);
}

/**
 * reply_copy() - Answer with a page table that was, or that there would be
 * @table:	It
 * @of:		Name of the lease
 */
static int reply_copy(struct call *call, const struct page_table *table,
		      const char *of, struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct lease *lease;
	pb_page_table *reply = NULL;

	registry_lock(reg);
	lease = registry_lease(reg, of);
	if (lease)
		reply = view_page_table(call->arena, lease, table);
	registry_unlock(reg);
	return handler_reply(call, reply, err);
}

/* --- reading --- */

/* list_page_tables() - PageTables.ListPageTables */
int list_page_tables(struct call *call, struct error *err)
{
	const Ioasid__V1__ListPageTablesRequest *in = (const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token,
			     .filter.lease = in->lease };
	Ioasid__V1__ListPageTablesResponse *reply;
	int r = 0;

	if (*in->lease)
		r = handler_name(COLLECTION_LEASES, "lease", in->lease, err);
	if (r == 0)
		r = handler_page(call, COLLECTION_PAGE_TABLES, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_page_tables_response));
	if (reply) {
		reply->page_tables = (pb_page_table **)page.items;
		reply->n_page_tables = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/* get_page_table() - PageTables.GetPageTable */
int get_page_table(struct call *call, struct error *err)
{
	const Ioasid__V1__GetPageTableRequest *in = (const void *)call->input;
	int r = handler_name(COLLECTION_PAGE_TABLES, "name", in->name, err);

	return r < 0 ? r : reply_page_table(call, in->name, err);
}

/* --- making --- */

/**
 * take_label() - Take over a label of a page table
 * @table:	Gets it
 *
 * protobuf-c knows no maps: they come as pairs, and keys may come twice.
 *
 * Return: 0; -EINVAL request.invalid; -ENOMEM.
 */
static int take_label(struct page_table *table, const char *key,
		      const char *value, struct error *err)
{
	int r;

	if (table->labels.n == 2 * (size_t)PAGE_TABLE_LABELS_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field labels: more than %d",
				 PAGE_TABLE_LABELS_MAX);
	r = handler_label(&table->labels, key, value, err);
	if (r == 0 && (strv_add(&table->labels, key) < 0 ||
		       strv_add(&table->labels, value) < 0))
		r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			      "no memory for the page table");
	return r;
}

/**
 * take_names() - Take over what a page table hangs on, and for which device
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int take_names(const char *parent, const char *device,
		      struct page_table *ret, struct error *err)
{
	const enum collection of = str_starts(parent, "spaces/") ?
		COLLECTION_SPACES : COLLECTION_PAGE_TABLES;
	int r = handler_name(of, "parent", parent, err);

	if (r == 0)
		r = handler_name(COLLECTION_DEVICES, "device", device, err);
	if (r < 0)
		return r;
	/* What does not fit is the name of nothing. */
	(void)str_copy(ret->parent, sizeof(ret->parent), parent);
	(void)str_copy(ret->device, sizeof(ret->device), device);
	return 0;
}

/**
 * take_type() - Take over what a guest's page table is
 *
 * Return: 0; -EINVAL request.invalid, pagetable.invalid.
 */
static int take_type(const Ioasid__V1__CreatePageTableRequest *in,
		     struct page_table *ret, struct error *err)
{
	const bool known = in->type_case ==
		IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_KNOWN_TYPE;
	size_t size;

	if (known)
		ret->data_type = (uint32_t)in->known_type;
	else if (in->type_case ==
		 IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_TYPE_NUMBER)
		ret->data_type = in->type_number;
	if (in->type_case == IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE__NOT_SET)
		size = 0;
	else if (ret->data_type == PAGE_TABLE_HOST)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field type: 0 is no type of a guest's page table; leave it out for a host's");
	else
		size = known ? page_table_data_size(ret->data_type) : 0;
	if (known && !size)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field known_type: there is no type %u; give it as type_number",
				 ret->data_type);
	if (in->data.len > PAGE_TABLE_DATA_MAX || (size && in->data.len != size))
		return error_set(err, -EINVAL, ERROR_PAGETABLE_INVALID,
				 "field data: %zu bytes, not %s%zu",
				 in->data.len, size ? "" : "at most ",
				 size ? size : (size_t)PAGE_TABLE_DATA_MAX);
	if (in->data.len)
		memcpy(ret->data, in->data.data, in->data.len);
	ret->n_data = in->data.len;
	return 0;
}

/**
 * make() - Make or register a page table, and answer with it
 * @wish:	What it is to be
 */
static int make(struct call *call, const struct change *change,
		struct page_table *wish, struct error *err)
{
	char name[NAME_SIZE];
	int r;

	r = page_table_create(call->host, call->caller, change, wish, name,
			      err);
	if (r < 0)
		return r;
	return *name ? reply_page_table(call, name, err) :
		       reply_copy(call, wish, change->name, err);
}

/* create_page_table() - PageTables.CreatePageTable */
int create_page_table(struct call *call, struct error *err)
{
	const Ioasid__V1__CreatePageTableRequest *in =
		(const void *)call->input;
	_cleanup_page_table_ struct page_table wish = PAGE_TABLE_NULL;
	struct change change = { in->lease, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r == 0)
		r = take_names(in->parent, in->device, &wish, err);
	if (r == 0)
		r = take_type(in, &wish, err);
	for (size_t i = 0; i < in->n_labels && r == 0; i++)
		r = take_label(&wish, in->labels[i]->key, in->labels[i]->value,
			       err);
	wish.nest_parent = in->nest_parent;
	wish.dirty_tracking = in->dirty_tracking;
	wish.pasid = in->pasid;
	wish.faults = in->fault_queue;
	return r < 0 ? r : make(call, &change, &wish, err);
}

/* register_page_table() - PageTables.RegisterPageTable */
int register_page_table(struct call *call, struct error *err)
{
	const Ioasid__V1__RegisterPageTableRequest *in =
		(const void *)call->input;
	_cleanup_page_table_ struct page_table wish = PAGE_TABLE_NULL;
	struct change change = { in->lease, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r == 0)
		r = take_names(in->parent, in->device, &wish, err);
	if (r == 0 && !in->kernel_id)
		r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			      "field kernel_id: 0 is the id of nothing");
	for (size_t i = 0; i < in->n_labels && r == 0; i++)
		r = take_label(&wish, in->labels[i]->key, in->labels[i]->value,
			       err);
	wish.registered = true;
	wish.kernel_id = in->kernel_id;
	wish.nest_parent = in->nest_parent;
	wish.dirty_tracking = in->dirty_tracking;
	wish.pasid = in->pasid;
	wish.data_type = in->data_type;
	return r < 0 ? r : make(call, &change, &wish, err);
}

/* delete_page_table() - PageTables.DeletePageTable */
int delete_page_table(struct call *call, struct error *err)
{
	const Ioasid__V1__DeletePageTableRequest *in =
		(const void *)call->input;
	_cleanup_page_table_ struct page_table was = PAGE_TABLE_NULL;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	char lease[NAME_SIZE];
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r == 0)
		r = page_table_delete(call->host, call->caller, &change, &was,
				      lease, err);
	return r < 0 ? r : reply_copy(call, &was, lease, err);
}

/* --- who is on it --- */

/**
 * check_binding() - Check a device's name and a PASID
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int check_binding(const char *device, uint32_t pasid,
			 struct error *err)
{
	int r = handler_name(COLLECTION_DEVICES, "device", device, err);

	if (r == 0 && pasid > PASID_MAX)
		r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			      "field pasid: %u is more than %u", pasid,
			      PASID_MAX);
	return r;
}

/* bind_device_to() - PageTables.BindDevice */
int bind_device_to(struct call *call, struct error *err)
{
	const Ioasid__V1__BindDeviceRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r == 0)
		r = check_binding(in->device, in->pasid, err);
	if (r == 0)
		r = page_table_attach(call->host, call->caller, &change,
				      in->device, in->pasid, err);
	return r < 0 ? r : reply_page_table(call, in->name, err);
}

/* unbind_device_from() - PageTables.UnbindDevice */
int unbind_device_from(struct call *call, struct error *err)
{
	const Ioasid__V1__UnbindDeviceRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_PAGE_TABLES, &change, err);
	if (r == 0)
		r = check_binding(in->device, in->pasid, err);
	if (r == 0)
		r = page_table_detach(call->host, call->caller, &change,
				      in->device, in->pasid, err);
	return r < 0 ? r : reply_page_table(call, in->name, err);
}
