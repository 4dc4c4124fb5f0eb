/* SPDX-License-Identifier: Apache-2.0
 *
 * window-remove.c - ioasidctl window remove
 */
#include "ioasidctl/space.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { SPACE_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Let a space promise a window no longer
 * @ctl:	This run
 * @args:	The space, the window's first address
 * @n_args:	2
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	_cleanup_message_ Ioasid__V1__Space *space = NULL;
	struct window_wishes wishes = { .n = 0 };
	char name[CTL_NAME_SIZE];
	uint64_t start;
	size_t which;
	int r;

	r = ctl_object_name("spaces", args[0], name);
	if (!r)
		r = space_number("START", args[1], &start);
	if (!r)
		r = space_get(ctl, name, &space);
	if (!r)
		r = space_find_window(space, start, &which);
	for (size_t i = 0; !r && i < space->n_windows; i++)
		if (i != which)
			r = window_wishes_keep(&wishes, space->windows[i]);
	return r ? r : space_set_windows(ctl, name, &wishes, space->etag);
}

const struct verb verb_window_remove = {
	.name = "window remove",
	.args = "SPACE START",
	.summary = "let the window that begins at START be promised no longer",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
