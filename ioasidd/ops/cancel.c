/* SPDX-License-Identifier: Apache-2.0
 *
 * cancel.c - asking an operation at work to stop
 *
 * It is asked by a flag that its worker sees before its next step
 * (journal_before()); a step that waits in the kernel is waited for. What is
 * done then is the operation's own business. The flag is not kept over a
 * restart: the next start walks an operation where its kind goes.
 */
#include <errno.h>

#include "base/log.h"
#include "ops/authorize.h"
#include "ops/ops.h"

/**
 * check_operation() - Can it be asked to stop?
 * @op:		The operation; the registry is locked
 * @change:	What was asked for
 *
 * Return: 0; 1 if that was asked before, and it will, or has; -EINVAL
 * operation.not-running, operation.not-cancellable; -ESTALE
 * request.etag-mismatch.
 */
static int check_operation(const struct operation *op,
			   const struct change *change, struct error *err)
{
	char etag[24];

	etag_of(op->revision, etag);
	if (op->error.kind == ERROR_OPERATION_CANCELLED ||
	    (op->state == OPERATION_RUNNING && op->cancelling))
		return 1;
	if (change->etag[0] && !str_eq(change->etag, etag))
		return error_set(err, -ESTALE, ERROR_REQUEST_ETAG_MISMATCH,
				 "%s has changed since etag '%s'", op->name,
				 change->etag);
	if (op->state != OPERATION_RUNNING)
		return error_set(err, -EINVAL, ERROR_OPERATION_NOT_RUNNING,
				 "%s is %s", op->name,
				 operation_state_name(op->state));
	if (!op->cancellable)
		return error_set(err, -EINVAL, ERROR_OPERATION_NOT_CANCELLABLE,
				 "%s, a %s of %s, only goes on to its end",
				 op->name, operation_kind_name(op->kind),
				 op->target);
	return 0;
}

/* operation_cancel() - See ops.h */
int operation_cancel(struct host *host, const struct caller *caller,
		     const struct change *change, struct error *err)
{
	struct registry *reg = host->registry;
	struct operation *op;
	int r = 0;

	registry_lock(reg);
	op = registry_operation(reg, change->name);
	if (op && !operation_visible(op, caller))
		op = NULL;
	if (op)
		r = authorize_cancel(caller, op, err);
	if (op && r == 0)
		r = check_operation(op, change, err);
	if (!op)
		r = error_set(err, -ENOENT, ERROR_OPERATION_NOT_FOUND,
			      "there is no %s", change->name);
	if (r == 0 && !change->dry_run) {
		op->cancelling = true;
		registry_changed_operation(reg, op, 0);
	}
	registry_unlock(reg);
	if (r < 0)
		error_object(err, "%s", change->name);
	else if (r == 0 && !change->dry_run)
		log_notice("%s: %s asks it to stop", change->name,
			   caller->principal);
	return r < 0 ? r : 0;
}
