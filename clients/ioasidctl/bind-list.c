/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-list.c - ioasidctl bind list
 */
#include "ioasidctl/bind.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const char *opt_lease;

static const struct option_spec options[] = {
	{ "lease", 'l', OPTION_TEXT, &opt_lease, "LEASE",
	  "only those of this lease" },
	NO_MORE_OPTIONS,
};

/**
 * add_row() - Add a page table to the table: a row, and more for devices
 * @table:	The table
 * @t:		The page table
 */
static void add_row(struct table *table, const Ioasid__V1__PageTable *t)
{
	char id[16] = "", type[16], device[128];

	if (t->kernel_id)
		(void)str_format(id, sizeof(id), "%u", t->kernel_id);
	(void)bind_type_word(t->data_type, type);
	for (size_t i = 0; i == 0 || i < t->n_bindings; i++) {
		const Ioasid__V1__Binding *b =
			i < t->n_bindings ? t->bindings[i] : NULL;

		device[0] = '\0';
		if (b && b->pasid)
			(void)str_format(device, sizeof(device), "%s PASID %u",
					 ctl_short_name(b->device), b->pasid);
		else if (b)
			(void)str_copy(device, sizeof(device),
				       ctl_short_name(b->device));
		table_row(table, i ? " " : ctl_short_name(t->name),
			  i ? " " : ctl_short_name(t->lease), i ? " " : id,
			  i ? " " : type, i ? " " : t->parent, device, NULL);
	}
}

/**
 * show() - List the page tables that were asked for
 * @ctl:	This run
 * @request:	Which
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, Ioasid__V1__ListPageTablesRequest *request)
{
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListPageTablesResponse *list;
	int r;

	r = ctl_list(ctl, "PageTables/ListPageTables", &request->base,
		     &ioasid__v1__list_page_tables_response__descriptor,
		     &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListPageTablesResponse *)reply;
	table_row(&table, "PAGE TABLE", "LEASE", "ID", "TYPE", "ON", "DEVICES",
		  NULL);
	for (size_t i = 0; i < list->n_page_tables; i++)
		add_row(&table, list->page_tables[i]);
	table_print(&table);
	return CTL_DONE;
}

/**
 * run() - List page tables
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListPageTablesRequest request =
		IOASID__V1__LIST_PAGE_TABLES_REQUEST__INIT;
	char lease[CTL_NAME_SIZE];
	int r;

	if (opt_lease) {
		r = ctl_object_name("leases", opt_lease, lease);
		if (r)
			return r;
		request.lease = lease;
	}
	return show(ctl, &request);
}

const struct verb verb_bind_list = {
	.name = "bind list",
	.summary = "list the page tables that you may see",
	.options = options,
	.run = run,
};
