/* SPDX-License-Identifier: Apache-2.0
 *
 * dirty-off.c - ioasidctl dirty off
 */
#include "ioasidctl/bind.h"

static const struct option_spec options[] = { BIND_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Turn dirty tracking off
 * @ctl:	This run
 * @args:	The page table
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	return dirty_set(ctl, args[0], false);
}

const struct verb verb_dirty_off = {
	.name = "dirty off",
	.args = "PAGE-TABLE",
	.summary = "record it no more",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
