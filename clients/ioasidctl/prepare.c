/* SPDX-License-Identifier: Apache-2.0
 *
 * prepare.c - ioasidctl prepare
 */
#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"

static bool opt_force, opt_no_reset, opt_unsafe, opt_no_iommu;
static const char *opt_driver = "";

static const struct option_spec options[] = {
	{ "driver", 0, OPTION_TEXT, &opt_driver, "DRIVER",
	  "the VFIO driver (vfio-pci)" },
	{ "force", 'f', OPTION_FLAG, &opt_force, NULL,
	  "take the devices although something uses them" },
	{ "allow-no-reset", 0, OPTION_FLAG, &opt_no_reset, NULL,
	  "take devices on which no reset works" },
	{ "allow-unsafe-interrupts", 0, OPTION_FLAG, &opt_unsafe, NULL,
	  "take devices whose interrupts the host does not isolate" },
	{ "allow-no-iommu", 0, OPTION_FLAG, &opt_no_iommu, NULL,
	  "take devices without an IOMMU: who has one can reach all memory of the host" },
	CHANGE_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * run() - Take a device's group to VFIO
 * @ctl:	This run
 * @args:	The device
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__PrepareDeviceRequest request =
		IOASID__V1__PREPARE_DEVICE_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_device_name(args[0], name);
	if (r)
		return r;
	request.name = name;
	request.driver = (char *)opt_driver;
	request.force = opt_force;
	request.allow_no_reset = opt_no_reset;
	request.allow_unsafe_interrupts = opt_unsafe;
	request.allow_no_iommu = opt_no_iommu;
	request.dry_run = ctl_change.dry_run;
	return ctl_follow(ctl, "Devices/PrepareDevice", &request.base, name);
}

const struct verb verb_prepare = {
	.name = "prepare",
	.args = "DEVICE",
	.summary = "take a device's whole group from its drivers to VFIO",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
