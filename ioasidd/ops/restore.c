/* SPDX-License-Identifier: Apache-2.0
 *
 * restore.c - from VFIO back to the drivers that a group had
 */
#include <errno.h>

#include "ops/group.h"
#include "ops/scan.h"
#include "ops/workers.h"

/**
 * struct restoring - A restore at work; owned by its worker
 * @host:	The host
 * @op:		The operation, the registry's
 * @draft:	The endpoints
 */
struct restoring {
	struct host *host;
	struct operation *op;
	struct draft draft;
};

/**
 * restoring_free() - Let go of the group, and of all else
 * @s:		The restore
 * @op_name:	The operation's
 */
static void restoring_free(struct restoring *s, const char *op_name)
{
	draft_close(&s->draft);
	registry_lock(s->host->registry);
	registry_unclaim(s->host->registry, op_name);
	registry_unlock(s->host->registry);
	free(s);
}

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
 * give_all_back() - Put every endpoint back on its driver
 * @s:		The restore
 *
 * Goes on when one fails; that one is quarantined.
 *
 * Return: 0 or the first -errno.
 */
static int give_all_back(struct restoring *s, struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = 0;
	size_t i;

	for (i = 0; i < s->draft.n; i++) {
		struct device *device = &s->draft.copies[i];

		r = group_give_back(s->host, s->op, device, &each);
		if (r == 0) {
			draft_capabilities(&s->draft, i, NULL);
			device->record.trouble = TROUBLE_NONE;
			continue;
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
 * @data:	struct restoring; owned
 */
static void run(void *data)
{
	struct restoring *s = data;
	struct error err = ERROR_NULL, end_err = ERROR_NULL;
	char name[NAME_SIZE];
	int r;

	str_copy(name, sizeof(name), s->op->name);
	r = give_all_back(s, &err);
	(void)scan_now(s->host, NULL);
	/* If the end cannot be recorded the next start does it again. */
	(void)journal_end(s->host, s->op, r, &err, NULL, &s->draft, &end_err);
	restoring_free(s, name);
}

/**
 * begin() - Journal the operation and have it run
 * @s:		The restore, checked; consumed
 * @op_name:	Its operation's
 *
 * Return: 0 or -errno.
 */
static int begin(struct restoring *s, const char *op_name, struct error *err)
{
	struct registry *reg = s->host->registry;
	size_t i;
	int r;

	r = journal_begin_consume(s->host, s->op, NULL, err);
	if (r == 0) {
		registry_lock(reg);
		for (i = 0; i < s->draft.n; i++) {
			s->draft.live[i]->state = DEVICE_PREPARING;
			s->draft.live[i]->revision = registry_revise(reg);
		}
		registry_unlock(reg);
		r = workers_submit(s->host->workers, run, s);
		if (r == 0)
			return 0;
		error_set(err, r, ERROR_DAEMON_NO_MEMORY,
			  "no thread can be started");
		(void)journal_end(s->host, s->op, r, err, NULL, NULL, NULL);
	}
	restoring_free(s, op_name);
	return r;
}

/**
 * restore_start() - See ops.h
 */
int restore_start(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err)
{
	_cleanup_strv_ struct strv endpoints = STRV_NULL;
	struct restoring *s;
	char name[NAME_SIZE];
	size_t i;
	int r;

	ret[0] = '\0';
	r = journal_replay(host, caller, change->request_id, OPERATION_RESTORE,
			   change->name, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = group_check_etag(host, change->name, change->etag, err);
	if (r < 0)
		return r;

	s = calloc(1, sizeof(*s));
	if (s)
		s->op = operation_new(OPERATION_RESTORE, change->name,
				      caller->principal, change->request_id);
	if (!s || !s->op) {
		free(s);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	}
	s->host = host;
	str_copy(name, sizeof(name), s->op->name);

	r = group_claim(host, s->op, &endpoints, err);
	if (r == 0)
		r = draft_open(host, &endpoints, &s->draft, err);
	for (i = 0; i < s->draft.n && r == 0; i++)
		r = check_device(&s->draft.copies[i], err);
	if (r < 0 || change->dry_run) {
		operation_free(s->op);
		restoring_free(s, name);
		return r;
	}
	str_copy(ret, NAME_SIZE, name);
	return begin(s, name, err);
}
