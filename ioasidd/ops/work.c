/* SPDX-License-Identifier: Apache-2.0
 *
 * work.c - an operation upon a group of devices, from its claim to its end
 */
#include "ops/work.h"

#include <errno.h>

#include "ops/authorize.h"
#include "ops/group.h"
#include "ops/scan.h"
#include "ops/workers.h"

/**
 * let_go() - Let go of the group, and of the copies
 * @work:	Freed
 * @op_name:	The operation's, which may be gone by now
 */
static void let_go(struct work *work, const char *op_name)
{
	struct registry *reg = work->host->registry;

	draft_close(&work->draft);
	registry_lock(reg);
	registry_unclaim(reg, op_name);
	registry_unlock(reg);
	free(work);
}

/**
 * claim() - Claim the group and copy its devices
 * @work:	With @host and @op
 * @alone:	Copy the operation's target alone
 *
 * Return: 0 or -errno.
 */
static int claim(struct work *work, bool alone, struct error *err)
{
	_cleanup_strv_ struct strv names = STRV_NULL;
	int r;

	if (alone && strv_add(&names, work->op->target) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	r = group_claim(work->host, work->op, alone ? NULL : &names, err);
	return r < 0 ? r : draft_open(work->host, &names, &work->draft, err);
}

/**
 * authorize() - May the caller do it with every device of the group?
 * @work:	With what it has claimed
 * @caller:	Who asks
 *
 * A group moves as one, so it takes the right for all of its endpoints.
 *
 * Return: 0; -EACCES.
 */
static int authorize(struct work *work, const struct caller *caller,
		     struct error *err)
{
	const char *permission = work->op->kind == OPERATION_RECOVER ?
					 "device.recover" :
					 "device.prepare";
	int r = 0;

	for (size_t i = 0; i < work->draft.n && r == 0; i++)
		r = authorize_device(work->host, caller, permission,
				     work->draft.copies[i].name, NULL, false,
				     err);
	return r;
}

/* work_new() - See work.h. */
int work_new(size_t size, struct host *host, const struct caller *caller,
	     const struct change *change, enum operation_kind kind, bool alone,
	     struct work **ret, struct error *err)
{
	struct work *work = calloc(1, size);
	int r;

	if (work)
		work->op = operation_new(kind, change->name, caller->principal,
					 change->request_id);
	if (!work || !work->op) {
		free(work);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	}
	work->host = host;
	(void)str_copy(work->op->fingerprint, sizeof(work->op->fingerprint),
		       change->fingerprint); /* as long */
	r = claim(work, alone, err);
	if (r == 0)
		r = authorize(work, caller, err);
	if (r < 0)
		work_drop(work);
	else
		*ret = work;
	return r;
}

/* work_drop() - See work.h. */
void work_drop(struct work *work)
{
	char name[NAME_SIZE];

	str_copy(name, sizeof(name), work->op->name);
	operation_free(work->op);
	let_go(work, name);
}

/**
 * show() - Show that the devices are on their way
 * @work:	Journalled
 *
 * The rest as in work_begin_consume().
 */
static void show(struct work *work, enum device_state state,
		 bool (*stays)(const struct work *work,
			       const struct device *device))
{
	struct registry *reg = work->host->registry;
	size_t i;

	registry_lock(reg);
	for (i = 0; i < work->draft.n; i++) {
		if (stays && stays(work, &work->draft.copies[i]))
			continue;
		work->draft.live[i]->state = state;
		registry_changed_device(reg, work->draft.live[i], 0);
	}
	registry_unlock(reg);
}

/* work_begin_consume() - See work.h. */
int work_begin_consume(struct work *work, enum device_state state,
		       bool (*stays)(const struct work *work,
				     const struct device *device),
		       void (*run)(void *work), struct error *err)
{
	char name[NAME_SIZE];
	int r;

	str_copy(name, sizeof(name), work->op->name);
	r = journal_begin_consume(work->host, work->op, NULL, err);
	if (r == 0) {
		show(work, state, stays);
		r = workers_submit(work->host->workers, run, work);
		if (r == 0)
			return 0;
		error_set(err, r, ERROR_DAEMON_NO_MEMORY,
			  "no thread can be started");
		(void)journal_end(work->host, work->op, r, err, NULL, NULL,
				  NULL);
	}
	let_go(work, name);
	return r;
}

/* work_nothing_consume() - See work.h. */
int work_nothing_consume(struct work *work, struct error *err)
{
	struct host *host = work->host;
	char name[NAME_SIZE];
	int r;

	str_copy(name, sizeof(name), work->op->name);
	r = journal_begin_consume(host, work->op, NULL, err);
	if (r == 0)
		r = journal_end(host, work->op, 0, NULL, NULL, NULL, err);
	let_go(work, name);
	return r;
}

/* work_end() - See work.h. */
void work_end(struct work *work, int r, const struct error *why)
{
	struct error err = ERROR_NULL;
	char name[NAME_SIZE];

	str_copy(name, sizeof(name), work->op->name);
	(void)scan_now(work->host, NULL);
	(void)journal_end(work->host, work->op, r, why, NULL, &work->draft,
			  &err);
	let_go(work, name);
}
