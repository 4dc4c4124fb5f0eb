/* SPDX-License-Identifier: Apache-2.0
 *
 * dirty-on.c - ioasidctl dirty on
 */
#include "ioasidctl/bind.h"

static const struct option_spec options[] = { BIND_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Turn dirty tracking on
 * @ctl:	This run
 * @args:	The page table
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	return dirty_set(ctl, args[0], true);
}

const struct verb verb_dirty_on = {
	.name = "dirty on",
	.args = "PAGE-TABLE",
	.summary = "record what devices write through a page table",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
