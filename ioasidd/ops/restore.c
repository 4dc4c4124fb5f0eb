/* SPDX-License-Identifier: Apache-2.0
 *
 * restore.c - from VFIO back to the drivers that a group had
 */
#include <errno.h>

#include "ops/driver.h"
#include "ops/group.h"
#include "ops/ladder.h"
#include "ops/work.h"

/**
 * check_device() - May this endpoint be given back?
 * @device:	The draft's copy
 *
 * Return: 0; -EBUSY device.leased; -EINVAL device.not-prepared.
 */
static int check_device(const struct device *device, struct error *err)
{
	int r = 0;

	if (device->lease[0])
		r = error_set(err, -EBUSY, ERROR_DEVICE_LEASED,
			      "%s is with %s", device->facts.bdf,
			      device->lease);
	else if (!device->recorded || !device->record.prepared)
		r = error_set(err, -EINVAL, ERROR_DEVICE_NOT_PREPARED,
			      "%s was not prepared by ioasidd",
			      device->facts.bdf);
	else if (device->record.trouble == TROUBLE_STUCK)
		r = error_set(err, -EBUSY, ERROR_DEVICE_STUCK, "%s",
			      device->record.reason);
	if (r < 0)
		error_object(err, "%s", device->name);
	return r;
}

/**
 * take_again() - Put an endpoint on VFIO again: the restore was cancelled
 * @work:	The restore
 * @i:		Which
 *
 * If that fails it is quarantined. What the probe finds is made anew: its
 * driver has had it since.
 *
 * Return: 0 or -errno.
 */
static int take_again(struct work *work, size_t i, struct error *err)
{
	struct device *device = &work->draft.copies[i];
	const char *driver;
	int r;

	/* The record as it was: what is live is changed at the end only. */
	device->record = work->draft.live[i]->record;
	driver = device->record.vfio_driver;
	r = driver_switch(work->host, work->op, device, driver, driver, err);
	draft_capabilities(&work->draft, i, NULL);
	if (r == 0 && device->record.trouble == TROUBLE_NONE)
		r = ladder_probe(work->host, work->op, &work->draft, i, err);
	if (r < 0)
		record_trouble(device, err, "see the reason");
	return r;
}

/**
 * take_all_again() - Put the endpoints that went back on VFIO again
 * @work:	The restore, which was cancelled
 * @n:		How many have been touched
 * @err:	That it was cancelled; if not all of it can be undone, the first
 *		reason
 *
 * Goes on when one fails.
 *
 * Return: -ECANCELED, or the first -errno.
 */
static int take_all_again(struct work *work, size_t n, struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = -ECANCELED;

	journal_settle(work->host, work->op);
	while (n-- > 0) {
		r = take_again(work, n, &each);
		if (r < 0 && first == -ECANCELED) {
			first = r;
			*err = each;
		}
	}
	return first;
}

/**
 * give_all_back() - Put every endpoint back on its driver
 * @work:	The restore
 *
 * Goes on when one fails; that one is quarantined. When it is cancelled those
 * that went back are taken again.
 *
 * Return: 0 or the first -errno.
 */
static int give_all_back(struct work *work, struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = 0;
	size_t i;

	for (i = 0; i < work->draft.n; i++) {
		struct device *device = &work->draft.copies[i];

		r = group_give_back(work->host, work->op, device, &each);
		if (r == 0) {
			draft_capabilities(&work->draft, i, NULL);
			device->record.trouble = TROUBLE_NONE;
			continue;
		}
		if (r == -ECANCELED) {
			*err = each;
			return take_all_again(work, i + 1, err);
		}
		record_trouble(device, &each, "see why its driver refuses it");
		if (first == 0) {
			first = r;
			*err = each;
		}
	}
	return first;
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

	r = give_all_back(work, &err);
	work_end(work, r, &err);
}

/**
 * restore_start() - See ops.h
 */
int restore_start(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err)
{
	struct work *work;
	size_t i;
	int r;

	ret[0] = '\0';
	r = journal_replay(host, caller, change, OPERATION_RESTORE, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = group_check_etag(host, change->name, change->etag, err);
	if (r == 0)
		r = work_new(sizeof(*work), host, caller, change,
			     OPERATION_RESTORE, false, &work, err);
	if (r != 0)
		return r;

	for (i = 0; i < work->draft.n && r == 0; i++)
		r = check_device(&work->draft.copies[i], err);
	if (r < 0 || change->dry_run) {
		work_drop(work);
		return r;
	}
	str_copy(ret, NAME_SIZE, work->op->name);
	work->op->cancellable = true;
	return work_begin_consume(work, DEVICE_PREPARING, NULL, run, err);
}
