/* SPDX-License-Identifier: Apache-2.0
 *
 * operation-cancel.c - ioasidctl operation cancel
 */
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "libioasid/message.h"
#include "libioasid/operation.h"

static const struct option_spec options[] = {
	CHANGE_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * wants_wait() - Is the end to be waited for?
 */
static bool wants_wait(void)
{
	return !ctl_change.dry_run &&
	       (ctl_change.wait || !ctl_change.no_wait);
}

/**
 * report() - Say what has become of it
 * @op:		The operation
 *
 * Return: enum ctl_exit; that it has failed as cancelled is what was wanted.
 */
static int report(const Ioasid__V1__Operation *op)
{
	if (op->state == IOASID__V1__OPERATION__STATE__RUNNING)
		return wants_wait() ? CTL_PENDING : CTL_DONE;
	if (op->error && str_eq(op->error->id, "operation.cancelled"))
		return CTL_DONE;
	return ctl_fail("%s: it had ended before it could be cancelled",
			op->name);
}

/**
 * run() - Ask an operation to stop, and wait until it has
 * @ctl:	This run
 * @args:	The operation
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__CancelOperationRequest request =
		IOASID__V1__CANCEL_OPERATION_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	Ioasid__V1__Operation *ended;
	struct ioasid_error err;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("operations", args[0], name);
	if (r)
		return r;
	request.name = name;
	request.dry_run = ctl_change.dry_run;
	r = ctl_call(ctl, "Operations/CancelOperation", &request.base,
		     &ioasid__v1__operation__descriptor, name, &reply);
	if (r)
		return r;
	if (wants_wait()) {
		if (operation_wait(ctl->conn, name, ctl->timeout_ms, &ended,
				   &err) < 0)
			return ctl_complain(&err, name);
		(void)message_free(reply);
		reply = &ended->base;
	}
	if (ctl->json)
		json_print(reply);
	else
		ctl_show_operation((const Ioasid__V1__Operation *)reply);
	return report((const Ioasid__V1__Operation *)reply);
}

const struct verb verb_operation_cancel = {
	.name = "operation cancel",
	.args = "OPERATION",
	.summary = "ask a prepare or restore to stop, and to walk back",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
