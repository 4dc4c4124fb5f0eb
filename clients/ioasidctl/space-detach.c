/* SPDX-License-Identifier: Apache-2.0
 *
 * space-detach.c - ioasidctl space detach
 */
#include "ioasidctl/space.h"

static const struct option_spec options[] = { SPACE_OPTIONS, NO_MORE_OPTIONS };

/**
 * run() - Take a device off a space
 * @ctl:	This run
 * @args:	The space, the device
 * @n_args:	2
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__DetachDeviceRequest request =
		IOASID__V1__DETACH_DEVICE_REQUEST__INIT;
	char name[CTL_NAME_SIZE], device[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("spaces", args[0], name);
	if (!r)
		r = ctl_device_name(args[1], device);
	if (r)
		return r;
	request.name = name;
	request.device = device;
	request.dry_run = space_dry_run;
	return space_call(ctl, "Spaces/DetachDevice", &request.base, name);
}

const struct verb verb_space_detach = {
	.name = "space detach",
	.args = "SPACE DEVICE",
	.summary = "take a device, with its group, off a space",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
