/* SPDX-License-Identifier: Apache-2.0
 *
 * window-add.c - ioasidctl window add
 */
#include "ioasidctl/space.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { SPACE_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Let a space promise more
 * @ctl:	This run
 * @args:	The space and the windows
 * @n_args:	2 and more
 *
 * What is wrong with a window is found out before the daemon is asked.
 * The new ones go first: the daemon counts windows when it refuses one, and its
 * first is then the first of the command line.
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	_cleanup_message_ Ioasid__V1__Space *space = NULL;
	struct window_wishes wishes = { .n = 0 };
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("spaces", args[0], name);
	for (int i = 1; !r && i < n_args; i++)
		r = window_wishes_add(&wishes, args[i]);
	if (!r)
		r = space_get(ctl, name, &space);
	if (r)
		return r;
	for (size_t i = 0; !r && i < space->n_windows; i++)
		r = window_wishes_keep(&wishes, space->windows[i]);
	return r ? r : space_set_windows(ctl, name, &wishes, space->etag);
}

const struct verb verb_window_add = {
	.name = "window add",
	.args = "SPACE WINDOW...",
	.summary = "let a space promise more; what it promises stays",
	.details = WINDOW_SPEC_HELP,
	.options = options,
	.min_args = 2,
	.max_args = -1,
	.run = run,
};
