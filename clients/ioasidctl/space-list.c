/* SPDX-License-Identifier: Apache-2.0
 *
 * space-list.c - ioasidctl space list
 */
#include <inttypes.h>

#include "ioasid/v1/space.pb-c.h"
#include "ioasidctl/ctl.h"
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
 * add_row() - Add a space to the table: a row, and more for windows and devices
 * @table:	The table
 * @s:		The space
 */
static void add_row(struct table *table, const Ioasid__V1__Space *s)
{
	char id[16] = "", window[64];
	const char *device;

	if (s->kernel_id)
		(void)str_format(id, sizeof(id), "%u", s->kernel_id);
	for (size_t i = 0; i == 0 || i < s->n_windows || i < s->n_attachments;
	     i++) {
		(void)str_copy(window, sizeof(window), i ? " " : "");
		if (i < s->n_windows)
			(void)str_format(window, sizeof(window),
					 "0x%" PRIx64 " to 0x%" PRIx64,
					 s->windows[i]->start,
					 s->windows[i]->last);
		device = i < s->n_attachments ?
			 ctl_short_name(s->attachments[i]->device) :
			 i ? " " : "";
		table_row(table, i ? " " : ctl_short_name(s->name),
			  i ? " " : ctl_short_name(s->lease), i ? " " : id,
			  window, device, NULL);
	}
}

/**
 * show() - List the spaces that were asked for
 * @ctl:	This run
 * @request:	Which
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, Ioasid__V1__ListSpacesRequest *request)
{
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListSpacesResponse *list;
	int r;

	r = ctl_list(ctl, "Spaces/ListSpaces", &request->base,
		     &ioasid__v1__list_spaces_response__descriptor, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListSpacesResponse *)reply;
	table_row(&table, "SPACE", "LEASE", "ID", "WINDOWS", "DEVICES", NULL);
	for (size_t i = 0; i < list->n_spaces; i++)
		add_row(&table, list->spaces[i]);
	table_print(&table);
	return CTL_DONE;
}

/**
 * run() - List spaces
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListSpacesRequest request =
		IOASID__V1__LIST_SPACES_REQUEST__INIT;
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

const struct verb verb_space_list = {
	.name = "space list",
	.summary = "list the I/O address spaces that you may see",
	.options = options,
	.run = run,
};
