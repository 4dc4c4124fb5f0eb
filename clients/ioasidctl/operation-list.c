/* SPDX-License-Identifier: Apache-2.0
 *
 * operation-list.c - ioasidctl operation list
 */
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const char *opt_state;

static const struct option_spec options[] = {
	{ "state", 0, OPTION_TEXT, &opt_state, "STATE",
	  "only those in this state: running, done, failed" },
	NO_MORE_OPTIONS,
};

/**
 * add_row() - Add an operation to the table
 * @table:	The table
 * @op:		The operation
 */
static void add_row(struct table *table, const Ioasid__V1__Operation *op)
{
	char state[32], time[32];

	table_row(table, ctl_short_name(op->name),
		  ctl_word(&ioasid__v1__operation__state__descriptor,
			   (int)op->state, state),
		  op->kind, op->principal, ctl_time(op->created, time),
		  op->target, NULL);
	if (op->error)
		table_note(table, "%s [%s]", op->error->message,
			   op->error->id);
}

/**
 * show() - List the operations that were asked for
 * @ctl:	This run
 * @request:	Which
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, Ioasid__V1__ListOperationsRequest *request)
{
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListOperationsResponse *list;
	int r;

	r = ctl_list(ctl, "Operations/ListOperations", &request->base,
		     &ioasid__v1__list_operations_response__descriptor, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListOperationsResponse *)reply;
	table_row(&table, "OPERATION", "STATE", "KIND", "ASKED BY", "BEGAN",
		  "TARGET", NULL);
	for (size_t i = 0; i < list->n_operations; i++)
		add_row(&table, list->operations[i]);
	table_print(&table);
	return CTL_DONE;
}

/**
 * run() - List operations
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListOperationsRequest request =
		IOASID__V1__LIST_OPERATIONS_REQUEST__INIT;
	int state = 0;

	if (opt_state && ctl_word_value(
		    &ioasid__v1__operation__state__descriptor, opt_state,
		    &state))
		return CTL_USAGE;
	request.state = (Ioasid__V1__Operation__State)state;
	return show(ctl, &request);
}

const struct verb verb_operation_list = {
	.name = "operation list",
	.summary = "list changes to the host, newest first",
	.options = options,
	.run = run,
};
