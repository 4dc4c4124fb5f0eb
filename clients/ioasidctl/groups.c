/* SPDX-License-Identifier: Apache-2.0
 *
 * groups.c - ioasidctl groups
 */
#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * add_row() - Add a group to the table, one row for each of its devices
 * @table:	The table
 * @g:		The group
 */
static void add_row(struct table *table, const Ioasid__V1__Group *g)
{
	const char *viable = g->unassignable ? "never" :
			     g->viable ? "yes" : "no";
	char number[16];

	(void)str_format(number, sizeof(number), "%u", g->number);
	table_row(table, ctl_short_name(g->name), number, g->type,
		  ctl_short_name(g->iommu), viable,
		  g->n_devices ? ctl_short_name(g->devices[0]) : "", NULL);
	for (size_t i = 1; i < g->n_devices; i++)
		table_row(table, " ", " ", " ", " ", " ",
			  ctl_short_name(g->devices[i]), NULL);
	if (g->n_blockers)
		table_note(table, "in the way: %s %s%s%s%s",
			   g->blockers[0]->kind, g->blockers[0]->name,
			   g->blockers[0]->detail[0] ? ": " : "",
			   g->blockers[0]->detail,
			   g->n_blockers > 1 ? ", and others" : "");
}

/**
 * run() - List the groups
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListGroupsRequest request =
		IOASID__V1__LIST_GROUPS_REQUEST__INIT;
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListGroupsResponse *list;
	int r;

	r = ctl_list(ctl, "Groups/ListGroups", &request.base,
		     &ioasid__v1__list_groups_response__descriptor, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListGroupsResponse *)reply;
	table_row(&table, "GROUP", "NUMBER", "TYPE", "IOMMU", "VIABLE",
		  "DEVICES", NULL);
	for (size_t i = 0; i < list->n_groups; i++)
		add_row(&table, list->groups[i]);
	table_print(&table);
	return CTL_DONE;
}

const struct verb verb_groups = {
	.name = "groups",
	.summary = "list the smallest sets that the IOMMUs can isolate",
	.options = options,
	.run = run,
};
