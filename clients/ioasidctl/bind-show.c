/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-show.c - ioasidctl bind show
 */
#include "ioasidctl/bind.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * run() - Show a page table
 * @ctl:	This run
 * @args:	The page table
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetPageTableRequest request =
		IOASID__V1__GET_PAGE_TABLE_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("pageTables", args[0], name);
	if (r)
		return r;
	request.name = name;
	return bind_call(ctl, "PageTables/GetPageTable", &request.base, name);
}

const struct verb verb_bind_show = {
	.name = "bind show",
	.args = "PAGE-TABLE",
	.summary = "show a page table: what it hangs on, who is on it",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
