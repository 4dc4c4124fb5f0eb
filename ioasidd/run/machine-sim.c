/* SPDX-License-Identifier: Apache-2.0
 *
 * machine-sim.c - the daemon of a simulated machine
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/str.h"
#include "kernel/sim/client.h"
#include "run/machine.h"

enum {
	OPT_FILE = OPT_MACHINE,
	OPT_LINGER,
	OPT_POKE,
};

const char machine_program[] = "ioasidd-sim";
const char machine_summary[] =
	"ioasidd on a simulated machine: nothing of this host is touched.\n";

const bool machine_configured = false;

const struct option_help machine_options[] = {
	{ "machine", "FILE",
	  "what the machine is; not needed if it runs already", OPT_FILE },
	{ "machine-linger", "SECONDS",
	  "how long it goes on without a daemon and open files (60)",
	  OPT_LINGER },
	{ "poke", "COMMAND",
	  "do something to the machine that runs, see ioasidd-sim(8)",
	  OPT_POKE },
};
const size_t machine_n_options = ARRAY_SIZE(machine_options);

/* machine_option() - See machine.h */
int machine_option(int id, const char *value, struct options *ret)
{
	switch (id) {
	case OPT_FILE:
		ret->machine_file = value;
		return 0;
	case OPT_LINGER:
		return str_u64(value, 10, INT_MAX, &ret->machine_linger);
	case OPT_POKE:
		ret->poke = value;
		return 0;
	}
	return -EINVAL;
}

/* machine_command() - Poke the machine that runs */
int machine_command(const struct options *options)
{
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_NULL;

	if (!options->poke)
		return -1;
	if (kernel_sim_poke(options->state_dir, options->poke, &text,
			    &err) < 0) {
		fprintf(stderr, "ioasidd-sim: %s\n", err.msg);
		return 1;
	}

	return fputs(text, stdout) < 0 || fflush(stdout) ? 1 : 0;
}

/* machine_start() - See machine.h */
int machine_start(const struct options *options, struct kernel **ret,
		  struct error *err)
{
	return kernel_sim_new(options->state_dir, options->machine_file,
			      (unsigned int)options->machine_linger, ret, err);
}
