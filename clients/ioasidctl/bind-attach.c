/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-attach.c - ioasidctl bind attach
 */
#include "ioasidctl/bind.h"

static const struct option_spec options[] = {
	PASID_OPTION,
	BIND_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * run() - Put a device on a page table
 * @ctl:	This run
 * @args:	The page table, the device
 * @n_args:	2
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__BindDeviceRequest request =
		IOASID__V1__BIND_DEVICE_REQUEST__INIT;
	char name[CTL_NAME_SIZE], device[CTL_NAME_SIZE];
	int r;

	r = bind_places(args, name, device);
	if (r)
		return r;
	request.name = name;
	request.device = device;
	request.pasid = (uint32_t)bind_pasid;
	request.dry_run = bind_dry_run;
	return bind_call(ctl, "PageTables/BindDevice", &request.base, name);
}

const struct verb verb_bind_attach = {
	.name = "bind attach",
	.args = "PAGE-TABLE DEVICE",
	.summary = "let a page table translate for a device, with its group",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
