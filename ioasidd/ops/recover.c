/* SPDX-License-Identifier: Apache-2.0
 *
 * recover.c - a device out of quarantine: the ladder once more
 */
#include <errno.h>

#include "ops/group.h"
#include "ops/ladder.h"
#include "ops/work.h"

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
 * @work:	The recovery
 *
 * Return: 0 or -errno: it is in quarantine as before, for a newer reason.
 */
static int recover(struct work *work, struct error *err)
{
	struct device *device = &work->draft.copies[0];
	int r;

	r = draft_refresh(work->host, &work->draft, 0, err);
	if (r < 0)
		return r;
	device->record.trouble = TROUBLE_NONE;
	if (device->record.prepared) {
		r = ladder_run(work->host, work->op, device, err);
		if (r == 0)
			r = ladder_probe(work->host, work->op, &work->draft, 0,
					 err);
	} else {
		r = group_give_back(work->host, work->op, device, err);
		if (r == 0)
			draft_capabilities(&work->draft, 0, NULL);
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
 * @data:	struct work; owned
 */
static void run(void *data)
{
	struct error err = ERROR_NULL;
	struct work *work = data;
	int r;

	r = recover(work, &err);
	work_end(work, r, &err);
}

/**
 * recover_start() - See ops.h
 */
int recover_start(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err)
{
	struct work *work;
	int r;

	ret[0] = '\0';
	r = journal_replay(host, caller, change, OPERATION_RECOVER, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = group_check_etag(host, change->name, change->etag, err);
	if (r < 0)
		return r;
	r = work_new(sizeof(*work), host, caller, change, OPERATION_RECOVER,
		     true, &work, err);
	if (r < 0)
		return r;

	r = check_device(host, &work->draft.copies[0], err);
	if (r < 0 || change->dry_run) {
		work_drop(work);
		return r;
	}
	str_copy(ret, NAME_SIZE, work->op->name);
	return work_begin_consume(work, DEVICE_RECLAIMING, NULL, run, err);
}
