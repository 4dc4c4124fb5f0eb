/* SPDX-License-Identifier: Apache-2.0
 *
 * restore.c - ioasidctl restore
 */
#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"

static const struct option_spec options[] = {
	CHANGE_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * run() - Give a device's group back to its former drivers
 * @ctl:	This run
 * @args:	The device
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__RestoreDeviceRequest request =
		IOASID__V1__RESTORE_DEVICE_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_device_name(args[0], name);
	if (r)
		return r;
	request.name = name;
	request.dry_run = ctl_change.dry_run;
	return ctl_follow(ctl, "Devices/RestoreDevice", &request.base, name);
}

const struct verb verb_restore = {
	.name = "restore",
	.args = "DEVICE",
	.summary = "give a device's whole group back to its former drivers",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
