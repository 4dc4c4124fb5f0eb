/* SPDX-License-Identifier: Apache-2.0
 *
 * window-set.c - ioasidctl window set
 */
#include "ioasidctl/space.h"

static const struct option_spec options[] = { SPACE_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Say all that a space promises from now on
 * @ctl:	This run
 * @args:	The space and the windows, or `none`
 * @n_args:	2 and more
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	struct window_wishes wishes = { .n = 0 };
	char name[CTL_NAME_SIZE];
	bool none = n_args == 2 && str_eq(args[1], "none");
	int r;

	r = ctl_object_name("spaces", args[0], name);
	for (int i = 1; !r && !none && i < n_args; i++)
		r = window_wishes_add(&wishes, args[i]);
	return r ? r : space_set_windows(ctl, name, &wishes, NULL);
}

const struct verb verb_window_set = {
	.name = "window set",
	.args = "SPACE WINDOW...",
	.summary = "say all that a space promises from now on",
	.details = WINDOW_SPEC_HELP
	"`none` as the only WINDOW is for no promise at all.\n",
	.options = options,
	.min_args = 2,
	.max_args = -1,
	.run = run,
};
