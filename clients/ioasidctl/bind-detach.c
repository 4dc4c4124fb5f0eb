/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-detach.c - ioasidctl bind detach
 */
#include "ioasidctl/bind.h"

static const struct option_spec options[] = {
	PASID_OPTION,
	BIND_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * run() - Take a device off a page table
 * @ctl:	This run
 * @args:	The page table, the device
 * @n_args:	2
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__UnbindDeviceRequest request =
		IOASID__V1__UNBIND_DEVICE_REQUEST__INIT;
	char name[CTL_NAME_SIZE], device[CTL_NAME_SIZE];
	int r;

	r = bind_places(args, name, device);
	if (r)
		return r;
	request.name = name;
	request.device = device;
	request.pasid = (uint32_t)bind_pasid;
	request.dry_run = bind_dry_run;
	return bind_call(ctl, "PageTables/UnbindDevice", &request.base, name);
}

const struct verb verb_bind_detach = {
	.name = "bind detach",
	.args = "PAGE-TABLE DEVICE",
	.summary = "take a device, with its group, off a page table",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
