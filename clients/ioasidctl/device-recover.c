/* SPDX-License-Identifier: Apache-2.0
 *
 * device-recover.c - ioasidctl device recover
 */
#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"

static const struct option_spec options[] = {
	CHANGE_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * run() - Try to bring a device back
 * @ctl:	This run
 * @args:	The device
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__RecoverDeviceRequest request =
		IOASID__V1__RECOVER_DEVICE_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_device_name(args[0], name);
	if (r)
		return r;
	request.name = name;
	request.dry_run = ctl_change.dry_run;
	return ctl_follow(ctl, "Devices/RecoverDevice", &request.base, name);
}

const struct verb verb_device_recover = {
	.name = "device recover",
	.args = "DEVICE",
	.summary = "try to bring a quarantined or stuck device back",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
