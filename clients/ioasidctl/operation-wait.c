/* SPDX-License-Identifier: Apache-2.0
 *
 * operation-wait.c - ioasidctl operation wait
 */
#include "ioasidctl/ctl.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * run() - Wait until an operation has ended, and show it
 * @ctl:	This run
 * @args:	The operation
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetOperationRequest request =
		IOASID__V1__GET_OPERATION_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("operations", args[0], name);
	if (r)
		return r;
	request.name = name;
	return ctl_follow(ctl, "Operations/GetOperation", &request.base, name);
}

const struct verb verb_operation_wait = {
	.name = "operation wait",
	.args = "OPERATION",
	.summary = "wait until a change to the host has ended",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
