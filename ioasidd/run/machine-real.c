/* SPDX-License-Identifier: Apache-2.0
 *
 * machine-real.c - the daemon of the machine that it runs on
 */
#include <errno.h>

#include "base/str.h"
#include "run/machine.h"

const char machine_program[] = "ioasidd";
const char machine_summary[] =
	"Owns I/O address spaces and VFIO devices, and hands their descriptors to\n"
	"unprivileged virtual machine monitors.\n";

const bool machine_configured = true;

enum { OPT_BACKEND = OPT_MACHINE };

const struct option_help machine_options[] = {
	{ "backend", "NAME",
	  "iommufd, type1 or spapr (the first of them that is there)",
	  OPT_BACKEND },
};
const size_t machine_n_options = ARRAY_SIZE(machine_options);

/* machine_option() - See machine.h */
int machine_option(int id, const char *value, struct options *ret)
{
	enum kernel_backend backend;

	if (id != OPT_BACKEND || kernel_backend_from_name(value, &backend) < 0 ||
	    backend == KERNEL_BACKEND_NONE)
		return -EINVAL;
	ret->backend = backend;
	return 0;
}

/* machine_command() - See machine.h */
int machine_command(const struct options *options)
{
	return -1;
}

/* machine_start() - See machine.h */
int machine_start(const struct options *options, struct kernel **ret,
		  struct error *err)
{
	return kernel_real_new("/sys", options->backend, ret, err);
}
