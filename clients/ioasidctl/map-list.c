/* SPDX-License-Identifier: Apache-2.0
 *
 * map-list.c - ioasidctl map list
 */
#include <inttypes.h>

#include "ioasid/v1/memory.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const struct option_spec options[] = {
	NO_MORE_OPTIONS,
};

/**
 * add_row() - Add a mapping to the table
 * @table:	The table
 * @m:		The mapping
 */
static void add_row(struct table *table, const Ioasid__V1__Mapping *m)
{
	char where[64], memory[32], offset[32], size[32];

	(void)str_format(where, sizeof(where), "0x%" PRIx64 " to 0x%" PRIx64,
			 m->iova, m->iova + (m->length - 1));
	(void)str_format(memory, sizeof(memory), "%" PRIu64, m->memory);
	(void)str_format(offset, sizeof(offset), "0x%" PRIx64, m->offset);
	table_row(table, ctl_short_name(m->space), where,
		  ctl_size(m->length, false, size),
		  m->writable ? "rw" : "r", memory, offset, NULL);
}

/**
 * show() - List what is mapped
 * @ctl:	This run
 * @lease:	For whom
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, char *lease)
{
	Ioasid__V1__ListMappingsRequest request =
		IOASID__V1__LIST_MAPPINGS_REQUEST__INIT;
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListMappingsResponse *list;
	int r;

	request.lease = lease;
	request.page_size = 1000;
	r = ctl_list(ctl, "Memory/ListMappings", &request.base,
		     &ioasid__v1__list_mappings_response__descriptor, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListMappingsResponse *)reply;
	table_row(&table, "SPACE", "ADDRESSES", "SIZE", "ACCESS", "MEMORY",
		  "OFFSET", NULL);
	for (size_t i = 0; i < list->n_mappings; i++)
		add_row(&table, list->mappings[i]);
	table_print(&table);
	return CTL_DONE;
}

/**
 * run() - List what is mapped
 * @ctl:	This run
 * @args:	The lease
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	char lease[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("leases", args[0], lease);
	return r ? r : show(ctl, lease);
}

const struct verb verb_map_list = {
	.name = "map list",
	.args = "LEASE",
	.summary = "list what is mapped for a lease of mode guarded",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
