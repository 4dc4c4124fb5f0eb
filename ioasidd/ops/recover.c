/* SPDX-License-Identifier: Apache-2.0
 *
 * recover.c - a device out of quarantine: the ladder once more
 */
#include <errno.h>

#include "ops/group.h"
#include "ops/ladder.h"
#include "ops/scan.h"
#include "ops/workers.h"

/**
 * struct recovering - A recovery at work; owned by its worker
 * @host:	The host
 * @op:		The operation, the registry's
 * @draft:	The one device
 */
struct recovering {
	struct host *host;
	struct operation *op;
	struct draft draft;
};

/**
 * recovering_free() - Let go of the group, and of all else
 * @c:		The recovery
 * @op_name:	The operation's
 */
static void recovering_free(struct recovering *c, const char *op_name)
{
	draft_close(&c->draft);
	registry_lock(c->host->registry);
	registry_unclaim(c->host->registry, op_name);
	registry_unlock(c->host->registry);
	free(c);
}

/**
 * check_device() - Is there something to recover, and can it be tried?
 * @device:	The draft's copy
 *
 * Return: 0; -EINVAL device.not-quarantined; -EBUSY device.stuck.
 */
static int check_device(struct host *host, const struct device *device,
			struct error *err)
{
	const struct device_record *record = &device->record;
	char pid[16];
	int r = 0;

	if (!device->recorded || record->trouble == TROUBLE_NONE)
		r = error_set(err, -EINVAL, ERROR_DEVICE_NOT_QUARANTINED,
			      "%s is %s", device->name,
			      device_state_name(device->state));
	else if (record->trouble == TROUBLE_STUCK &&
		 !host->kernel->ops->stuck_ended(host->kernel,
						 &record->stuck)) {
		r = error_set(err, -EBUSY, ERROR_DEVICE_STUCK,
			      "%s of %s still has not come back",
			      record->stuck.call, device->facts.bdf);
		str_format(pid, sizeof(pid), "%d", (int)record->stuck.pid);
		error_cause(err, "process", pid,
			    "is the helper that waits in the kernel");
		/* Who it waits for, if that can be seen. */
		struct error holders = ERROR_NULL;
		size_t i;

		(void)host->kernel->ops->cdev_holders(host->kernel,
						      device->facts.bdf,
						      &holders);
		for (i = 0; i < holders.n_causes; i++)
			error_cause(err, holders.causes[i].kind,
				    holders.causes[i].name, "%s",
				    holders.causes[i].detail);
	}
	if (r < 0)
		error_object(err, "%s", device->name);
	return r;
}

/**
 * recover() - The ladder; or back to its driver, if that is where it was to go
 * @c:		The recovery
 *
 * Return: 0 or -errno: it is in quarantine as before, for a newer reason.
 */
static int recover(struct recovering *c, struct error *err)
{
	struct device *device = &c->draft.copies[0];
	int r;

	r = draft_refresh(c->host, &c->draft, 0, err);
	if (r < 0)
		return r;
	device->record.trouble = TROUBLE_NONE;
	if (device->record.prepared) {
		r = ladder_run(c->host, c->op, device, err);
		if (r == 0)
			r = ladder_probe(c->host, c->op, &c->draft, 0, err);
	} else {
		r = group_give_back(c->host, c->op, device, err);
		if (r == 0)
			draft_capabilities(&c->draft, 0, NULL);
	}
	if (r < 0) {
		record_trouble(device, err, "see the reason");
		return r;
	}
	device->record.reason[0] = '\0';
	device->record.remedy[0] = '\0';
	device->record.stuck = (struct kernel_stuck){ .pid = 0 };
	return 0;
}

/**
 * run() - The operation, on a worker
 * @data:	struct recovering; owned
 */
static void run(void *data)
{
	struct recovering *c = data;
	struct error err = ERROR_NULL, end_err = ERROR_NULL;
	char name[NAME_SIZE];
	int r;

	str_copy(name, sizeof(name), c->op->name);
	r = recover(c, &err);
	(void)scan_now(c->host, NULL);
	(void)journal_end(c->host, c->op, r, &err, NULL, &c->draft, &end_err);
	recovering_free(c, name);
}

/**
 * begin() - Journal the operation and have it run
 * @c:		The recovery, checked; consumed
 * @op_name:	Its operation's
 *
 * Return: 0 or -errno.
 */
static int begin(struct recovering *c, const char *op_name, struct error *err)
{
	struct registry *reg = c->host->registry;
	int r;

	r = journal_begin_consume(c->host, c->op, NULL, err);
	if (r == 0) {
		registry_lock(reg);
		c->draft.live[0]->state = DEVICE_RECLAIMING;
		c->draft.live[0]->revision = registry_revise(reg);
		registry_unlock(reg);
		r = workers_submit(c->host->workers, run, c);
		if (r == 0)
			return 0;
		error_set(err, r, ERROR_DAEMON_NO_MEMORY,
			  "no thread can be started");
		(void)journal_end(c->host, c->op, r, err, NULL, NULL, NULL);
	}
	recovering_free(c, op_name);
	return r;
}

/**
 * recover_start() - See ops.h
 */
int recover_start(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err)
{
	_cleanup_strv_ struct strv one = STRV_NULL;
	struct recovering *c;
	char name[NAME_SIZE];
	int r;

	ret[0] = '\0';
	r = journal_replay(host, caller, change->request_id, OPERATION_RECOVER,
			   change->name, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = group_check_etag(host, change->name, change->etag, err);
	if (r < 0)
		return r;

	c = calloc(1, sizeof(*c));
	if (c)
		c->op = operation_new(OPERATION_RECOVER, change->name,
				      caller->principal, change->request_id);
	if (!c || !c->op || strv_add(&one, change->name) < 0) {
		if (c)
			operation_free(c->op);
		free(c);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	}
	c->host = host;
	str_copy(name, sizeof(name), c->op->name);

	r = group_claim(host, c->op, NULL, err);
	if (r == 0)
		r = draft_open(host, &one, &c->draft, err);
	if (r == 0)
		r = check_device(host, &c->draft.copies[0], err);
	if (r != 0 || change->dry_run) {
		operation_free(c->op);
		recovering_free(c, name);
		return r;
	}
	str_copy(ret, NAME_SIZE, name);
	return begin(c, name, err);
}
