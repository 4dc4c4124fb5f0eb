/* SPDX-License-Identifier: Apache-2.0
 *
 * journal.c - an operation's record
 *
 * The worker that runs an operation is the only one to change it. Readers look
 * under the registry's lock, so changes are made under it; the writer thread
 * reads while the worker waits for it.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/journal.h"

/**
 * same_wish() - See journal.h
 */
bool same_wish(const char *before, const char *now)
{
	return !*before || str_eq(before, now);
}

/**
 * refuse_reuse() - See journal.h
 */
int refuse_reuse(const char *request_id, const char *made, struct error *err)
{
	error_set(err, -EEXIST, ERROR_REQUEST_ID_REUSED,
		  "request id '%s' was used to make %s, which was not asked for with the same words",
		  request_id, made);
	error_object(err, "%s", made);
	return -EEXIST;
}

/**
 * journal_replay() - See journal.h
 */
int journal_replay(struct host *host, const struct caller *caller,
		   const struct change *change, enum operation_kind kind,
		   char ret[NAME_SIZE], struct error *err)
{
	struct registry *reg = host->registry;
	int r = 0;
	size_t i;

	if (!change->request_id[0])
		return 0;
	registry_lock(reg);
	for (i = reg->n_operations; i-- > 0 && r == 0;) {
		const struct operation *op = reg->operations[i];

		if (!str_eq(op->request_id, change->request_id) ||
		    !str_eq(op->principal, caller->principal))
			continue;
		if (op->kind == kind && str_eq(op->target, change->name) &&
		    same_wish(op->fingerprint, change->fingerprint)) {
			str_copy(ret, NAME_SIZE, op->name);
			r = 1;
			break;
		}
		r = error_set(err, -EEXIST, ERROR_REQUEST_ID_REUSED,
			      "request id '%s' was used to %s %s%s",
			      change->request_id,
			      operation_kind_name(op->kind), op->target,
			      op->kind == kind &&
					      str_eq(op->target, change->name) ?
				      " otherwise" : "");
		error_object(err, "%s", op->name);
	}
	registry_unlock(reg);
	return r;
}

/**
 * forget_one() - Forget one lease and one operation that are beyond the history
 * @host:	The host
 *
 * Return: true if there was one.
 */
static bool forget_one(struct host *host)
{
	struct operation *op;
	struct lease *lease;
	struct commit commit;

	registry_lock(host->registry);
	registry_pop_ended(host->registry, clock_real_us(), &lease, &op);
	registry_unlock(host->registry);
	if (!lease && !op)
		return false;
	commit = (struct commit){
		.drop_lease = lease ? lease->name : NULL,
		.drop_op = op ? op->name : NULL,
	};
	/* If it fails they are loaded and dropped once more at a start. */
	(void)commit_write(host, &commit, NULL);
	lease_free(lease);
	operation_free(op);
	return true;
}

/**
 * journal_trim() - See journal.h
 */
void journal_trim(struct host *host)
{
	while (forget_one(host))
		;
}

/**
 * journal_begin_consume() - See journal.h
 */
int journal_begin_consume(struct host *host, struct operation *op,
			  struct lease *lease, struct error *err)
{
	const struct commit commit = {
		.op = op, .new_op = true, .lease = lease,
	};
	int r;

	registry_lock(host->registry);
	r = registry_reserve_operation(host->registry);
	registry_unlock(host->registry);
	if (r < 0) {
		operation_free(op);
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	}
	r = commit_write(host, &commit, err);
	if (r < 0) {
		registry_lock(host->registry);
		registry_unreserve_operation(host->registry);
		registry_unlock(host->registry);
		operation_free(op);
		return r;
	}
	log_info("%s: %s %s for %s", op->name, operation_kind_name(op->kind),
		 op->target, op->principal);
	return 0;
}

/**
 * check_cancelled() - Was the operation asked to stop, and can it?
 * @op:		The operation; the registry is locked
 *
 * Return: 0; -ECANCELED operation.cancelled: walk back.
 */
static int check_cancelled(const struct operation *op, struct error *err)
{
	if (!op->cancellable || !op->cancelling)
		return 0;
	return error_set(err, -ECANCELED, ERROR_OPERATION_CANCELLED,
			 "it was cancelled %s%s, and undone",
			 op->step[0] ? "after the step " :
				       "before its first step",
			 op->step);
}

/**
 * journal_settle() - See journal.h
 */
void journal_settle(struct host *host, struct operation *op)
{
	registry_lock(host->registry);
	op->cancellable = false;
	registry_unlock(host->registry);
}

/**
 * journal_before() - See journal.h
 */
int journal_before(struct host *host, struct operation *op, struct act *act,
		   const char *object, const char *name, const char *method,
		   struct error *err)
{
	struct operation next;
	const struct commit commit = { .op = &next };
	int r;

	*act = (struct act){ .step.at_us = clock_real_us() };
	str_copy(act->step.object, sizeof(act->step.object), object);
	str_copy(act->step.act, sizeof(act->step.act), name);
	str_copy(act->step.method, sizeof(act->step.method), method);

	registry_lock(host->registry);
	r = check_cancelled(op, err);
	next = *op;
	registry_unlock(host->registry);
	if (r < 0)
		return r;
	str_copy(next.step, sizeof(next.step), name);
	r = commit_write(host, &commit, err);
	log_debug("%s: %s %s begins", op->name, name, object);
	act->start_ns = clock_mono_ns();
	return r;
}

/**
 * journal_after() - See journal.h
 */
int journal_after(struct host *host, struct operation *op, struct act *act,
		  int r, const struct error *err)
{
	act->step.took_us = (clock_mono_ns() - act->start_ns) / 1000;
	if (r >= 0)
		str_copy(act->step.result, sizeof(act->step.result), "ok");
	else
		str_copy(act->step.result, sizeof(act->step.result),
			 err && err->msg[0] ? err->msg : strerror(-r));

	registry_lock(host->registry);
	/* Without memory the record has a gap; the act was done. */
	if (operation_add_step(op, &act->step) == 0)
		registry_changed_operation(host->registry, op, 0);
	registry_unlock(host->registry);
	log_debug("%s: %s %s%s%s: %s (%llu us)", op->name, act->step.act,
		  act->step.object, act->step.method[0] ? " by " : "",
		  act->step.method, act->step.result,
		  (unsigned long long)act->step.took_us);
	return r;
}

/**
 * tell() - On the loop: tell the front that an operation has ended
 * @data:	The host
 */
static void tell(void *data)
{
	struct host *host = data;

	if (host->operation_ended)
		host->operation_ended(host->front);
}

/**
 * journal_end() - See journal.h
 */
int journal_end(struct host *host, struct operation *op, int r,
		const struct error *why, struct lease *lease,
		struct draft *draft, struct error *err)
{
	struct operation ended;
	const struct commit commit = {
		.op = &ended, .lease = lease, .draft = draft, .last = true,
	};
	int w;

	/* The end is durable before it can be seen: it is set on a copy. */
	journal_settle(host, op);
	ended = *op;
	ended.state = r < 0 ? OPERATION_FAILED : OPERATION_DONE;
	ended.ended_us = clock_real_us();
	if (r < 0 && why)
		ended.error = *why;
	w = commit_insist(host, &commit, err);
	if (w < 0) {
		log_problem(LOG_LEVEL_ERROR, err, "%s: cannot record its end",
			    op->name);
		return w;
	}

	if (r < 0)
		log_problem(LOG_LEVEL_WARNING, why, "%s: %s %s", ended.name,
			    operation_kind_name(ended.kind), ended.target);
	else
		log_info("%s: %s %s: done", ended.name,
			 operation_kind_name(ended.kind), ended.target);
	journal_trim(host);
	loop_insist(host->loop, tell, host);
	return 0;
}
