/* SPDX-License-Identifier: Apache-2.0
 *
 * follow.c - operations: started, waited for, shown
 */
#include <inttypes.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/operation.h"

struct ctl_change ctl_change;

/* ctl_show_steps() - See ctl.h. */
void ctl_show_steps(Ioasid__V1__Step *const *steps, size_t n)
{
	_cleanup_table_ struct table table = TABLE_NULL;
	char took[32];

	table.indent = 2;
	for (size_t i = 0; i < n; i++) {
		(void)str_format(took, sizeof(took),
				 "%" PRIu64 ".%" PRIu64 " ms",
				 steps[i]->took_us / 1000,
				 steps[i]->took_us % 1000 / 100);
		table_row(&table, ctl_short_name(steps[i]->object),
			  steps[i]->act, steps[i]->method, took,
			  steps[i]->result, NULL);
	}
	table_print(&table);
}

/* ctl_show_operation() - See ctl.h. */
void ctl_show_operation(const Ioasid__V1__Operation *op)
{
	char word[32], time[32];

	output_field("Operation", op->name);
	output_field("Kind", op->kind);
	output_field("Target", op->target);
	output_field("State",
		     ctl_word(&ioasid__v1__operation__state__descriptor,
			      (int)op->state, word));
	output_field("Step", op->step);
	output_field("Asked for by", op->principal);
	output_field("Request id", op->request_id);
	output_field("Began", ctl_time(op->created, time));
	output_field("Ended", ctl_time(op->ended, time));
	if (op->error)
		output_fieldf("Error", "%s [%s]", op->error->message,
			      op->error->id);
	if (op->n_steps) {
		printf("Steps:\n");
		ctl_show_steps(op->steps, op->n_steps);
	}
}

/**
 * report() - Tell a person how an operation ended
 * @op:		The operation
 * @object:	What it is about
 *
 * Return: the exit code for it.
 */
static int report(const Ioasid__V1__Operation *op, const char *object)
{
	struct ioasid_error err;

	switch (op->state) {
	case IOASID__V1__OPERATION__STATE__DONE:
		return CTL_DONE;
	case IOASID__V1__OPERATION__STATE__FAILED:
		if (!op->error)
			return ctl_fail("%s: failed without an error", object);
		(void)fail_remote(&err, op->error);
		(void)ctl_complain(&err, object);
		return CTL_FAILED;
	case IOASID__V1__OPERATION__STATE__RUNNING:
	case IOASID__V1__OPERATION__STATE__STATE_UNSPECIFIED:
	default:
		(void)ctl_fail("%s: still running; see `ioasidctl operation "
			       "show %s`", object, op->name);
		return CTL_PENDING;
	}
}

/**
 * show_result() - Show an operation that was waited for, for a person
 * @op:		The operation
 */
static void show_result(const Ioasid__V1__Operation *op)
{
	char word[32];

	output_clean(stdout, op->kind);
	printf(" ");
	output_clean(stdout, op->target);
	printf(": %s%s\n",
	       ctl_word(&ioasid__v1__operation__state__descriptor,
			(int)op->state, word),
	       op->name[0] ? "" : " (nothing was changed)");
	ctl_show_steps(op->steps, op->n_steps);
}

/* ctl_follow() - See ctl.h. */
int ctl_follow(struct ctl *ctl, const char *method,
	       const ProtobufCMessage *request, const char *object)
{
	const bool no_wait = ctl_change.no_wait && !ctl_change.wait;
	_cleanup_message_ Ioasid__V1__Operation *op = NULL;
	Ioasid__V1__Operation *ended;
	struct ioasid_error err;
	ProtobufCMessage *reply;
	int r;

	r = ctl_call(ctl, method, request, &ioasid__v1__operation__descriptor,
		     object, &reply);
	if (r)
		return r;
	op = (Ioasid__V1__Operation *)reply;
	/* An operation that was only tried has no name. */
	if (op->state == IOASID__V1__OPERATION__STATE__RUNNING && op->name[0] &&
	    !no_wait) {
		if (operation_wait(ctl->conn, op->name, ctl->timeout_ms, &ended,
				   &err) < 0)
			return ctl_complain(&err, op->name);
		(void)message_free(op);
		op = ended;
	}
	if (ctl->json)
		json_print(&op->base);
	else if (no_wait && op->name[0])
		printf("%s\n", op->name);
	else
		show_result(op);
	if (no_wait && op->state == IOASID__V1__OPERATION__STATE__RUNNING)
		return CTL_DONE;
	return report(op, object);
}
