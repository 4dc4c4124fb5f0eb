/* SPDX-License-Identifier: Apache-2.0
 *
 * machine-real.c - the daemon of the machine that it runs on
 */
#include <errno.h>

#include "run/machine.h"

const char machine_program[] = "ioasidd";
const char machine_summary[] =
	"Owns I/O address spaces and VFIO devices, and hands their descriptors to\n"
	"unprivileged virtual machine monitors.\n";

const bool machine_configured = true;

const struct option_help machine_options[] = { { .name = NULL } };
const size_t machine_n_options = 0;

/* machine_option() - See machine.h */
int machine_option(int id, const char *value, struct options *ret)
{
	return -EINVAL;
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
	return kernel_real_new("/sys", ret, err);
}
