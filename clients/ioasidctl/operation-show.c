/* SPDX-License-Identifier: Apache-2.0
 *
 * operation-show.c - ioasidctl operation show
 */
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * run() - Show an operation
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
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("operations", args[0], name);
	if (r)
		return r;
	request.name = name;
	r = ctl_call(ctl, "Operations/GetOperation", &request.base,
		     &ioasid__v1__operation__descriptor, name, &reply);
	if (r)
		return r;
	if (ctl->json)
		json_print(reply);
	else
		ctl_show_operation((const Ioasid__V1__Operation *)reply);
	return CTL_DONE;
}

const struct verb verb_operation_show = {
	.name = "operation show",
	.args = "OPERATION",
	.summary = "show a change to the host, step by step",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
