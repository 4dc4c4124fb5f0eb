/* SPDX-License-Identifier: Apache-2.0
 *
 * space-show.c - ioasidctl space show
 */
#include "ioasidctl/space.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * run() - Show a space
 * @ctl:	This run
 * @args:	The space
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetSpaceRequest request =
		IOASID__V1__GET_SPACE_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("spaces", args[0], name);
	if (r)
		return r;
	request.name = name;
	return space_call(ctl, "Spaces/GetSpace", &request.base, name);
}

const struct verb verb_space_show = {
	.name = "space show",
	.args = "SPACE",
	.summary = "show a space: windows, devices, where memory can be mapped",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
