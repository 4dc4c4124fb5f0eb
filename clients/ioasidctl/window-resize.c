/* SPDX-License-Identifier: Apache-2.0
 *
 * window-resize.c - ioasidctl window resize
 */
#include "ioasidctl/space.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { SPACE_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Make a window longer or shorter, where it is
 * @ctl:	This run
 * @args:	The space, the window's first address, its size from now on
 * @n_args:	3
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	_cleanup_message_ Ioasid__V1__Space *space = NULL;
	struct window_wishes wishes = { .n = 0 };
	char name[CTL_NAME_SIZE];
	uint64_t start, size;
	size_t which;
	int r;

	r = ctl_object_name("spaces", args[0], name);
	if (!r)
		r = space_number("START", args[1], &start);
	if (!r)
		r = space_number("SIZE", args[2], &size);
	if (!r)
		r = space_get(ctl, name, &space);
	if (!r)
		r = space_find_window(space, start, &which);
	for (size_t i = 0; !r && i < space->n_windows; i++)
		r = window_wishes_keep(&wishes, space->windows[i]);
	if (r)
		return r;
	wishes.items[which].size = size;
	return space_set_windows(ctl, name, &wishes, space->etag);
}

const struct verb verb_window_resize = {
	.name = "window resize",
	.args = "SPACE START SIZE",
	.summary = "make the window that begins at START longer or shorter",
	.options = options,
	.min_args = 3,
	.max_args = 3,
	.run = run,
};
