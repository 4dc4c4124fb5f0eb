/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-delete.c - ioasidctl bind delete
 */
#include "ioasidctl/bind.h"
#include "ioasidctl/json.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { BIND_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - End a page table
 * @ctl:	This run
 * @args:	The page table
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__DeletePageTableRequest request =
		IOASID__V1__DELETE_PAGE_TABLE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("pageTables", args[0], name);
	if (r)
		return r;
	request.name = name;
	request.dry_run = bind_dry_run;
	r = ctl_call(ctl, "PageTables/DeletePageTable", &request.base,
		     &ioasid__v1__page_table__descriptor, name, &reply);
	if (r)
		return r;
	if (ctl->json)
		json_print(reply);
	else
		printf("%s: %s\n", name, bind_dry_run ?
		       "could be deleted (nothing was changed)" : "deleted");
	return CTL_DONE;
}

const struct verb verb_bind_delete = {
	.name = "bind delete",
	.args = "PAGE-TABLE",
	.summary = "end a page table that nothing is on",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
