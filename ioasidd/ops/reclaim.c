/* SPDX-License-Identifier: Apache-2.0
 *
 * reclaim.c - a holder has ended: its devices are made safe, its lease ends
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/group.h"
#include "ops/ladder.h"
#include "ops/lease.h"
#include "ops/scan.h"

/* A claim that has just been answered may still be recording it. */
#define OWN_TIMEOUT_MS 60000

/**
 * begin() - Make durable that the lease is being reclaimed, and by what
 * @lease:	A copy of the lease; consumed
 * @op:		The operation; consumed
 *
 * Return: 0: @op is the registry's; -errno.
 */
static int begin(struct host *host, struct lease *lease, struct operation *op,
		 struct error *err)
{
	const struct commit commit = { .lease = lease };
	struct holder *holder = lease_holder(lease);
	int r;

	lease->state = LEASE_RECLAIMING;
	str_copy(lease->reclaim, sizeof(lease->reclaim), op->name);
	if (holder && !holder->until_us) {
		holder->until_us = clock_real_us();
		str_copy(holder->why, sizeof(holder->why), "ended");
	}
	r = journal_begin_consume(host, op, err);
	if (r == 0)
		r = commit_write(host, &commit, err);
	lease_free(lease);
	return r;
}

/**
 * mark_reclaiming() - Show that the devices are being made safe
 * @draft:	The devices
 */
static void mark_reclaiming(struct host *host, struct draft *draft)
{
	size_t i;

	registry_lock(host->registry);
	for (i = 0; i < draft->n; i++) {
		draft->live[i]->state = DEVICE_RECLAIMING;
		draft->live[i]->revision = registry_revise(host->registry);
	}
	registry_unlock(host->registry);
}

/**
 * make_safe() - Run the ladder for every device of a lease
 * @restore:	Give them back to their former drivers afterwards
 *
 * Goes on when one fails: that one is quarantined or stuck.
 *
 * Return: 0 or the first -errno.
 */
static int make_safe(struct host *host, struct operation *op,
		     struct draft *draft, bool restore, struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = 0;
	size_t i;

	for (i = 0; i < draft->n; i++) {
		struct device *device = &draft->copies[i];

		device->lease[0] = '\0';
		if (!device->facts.bdf[0])
			continue;	/* gone: nothing can be made safe */
		r = ladder_run(host, op, device, &each);
		if (r == 0 && !restore) {
			r = ladder_probe(host, op, draft, i, &each);
			if (r < 0)
				record_trouble(device, &each, "see the reason");
		}
		if (r == 0 && restore) {
			r = group_give_back(host, op, device, &each);
			if (r == 0)
				draft_capabilities(draft, i, NULL);
			else
				record_trouble(device, &each,
					       "see why its driver refuses it");
		}
		if (r < 0 && first == 0) {
			first = r;
			*err = each;
		}
	}
	return first;
}

/**
 * finish() - End lease and operation
 * @name:	The lease
 * @op:		The operation
 * @r:		How the ladder went, with @why
 * @draft:	The devices as they are now
 */
static void finish(struct host *host, const char *name, struct operation *op,
		   int r, const struct error *why, struct draft *draft)
{
	struct error err = ERROR_NULL;
	const struct lease *now;
	struct lease *lease = NULL;

	registry_lock(host->registry);
	now = registry_lease(host->registry, name);
	if (now)
		lease = lease_copy(now);
	registry_unlock(host->registry);
	if (lease)
		lease_end(lease, "holder ended");
	/* If the end cannot be recorded the next start does it again. */
	(void)journal_end(host, op, r, why, lease, draft, &err);
	lease_free(lease);
}

/**
 * lease_reclaim() - See lease.h
 */
void lease_reclaim(struct host *host, const char *name)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	struct error err = ERROR_NULL;
	char claim[NAME_SIZE];
	struct operation *op;
	struct lease *lease;
	bool restore;
	int r;

	r = lease_own(host, NULL, name, OWN_TIMEOUT_MS, claim, &lease, &err);
	if (r < 0) {
		log_problem(LOG_LEVEL_ERROR, &err, "%s: cannot be reclaimed",
			    name);
		return;
	}
	restore = lease->restore_after;
	op = operation_new(OPERATION_RECLAIM, name, "ioasidd", "");
	r = op ? draft_open(host, &lease->devices, &draft, &err) : -ENOMEM;
	if (r < 0 || lease->state == LEASE_ENDED ||
	    lease->state == LEASE_OFFERED) {
		operation_free(op);
		lease_free(lease);
	} else {
		r = begin(host, lease, op, &err);
		if (r == 0) {
			mark_reclaiming(host, &draft);
			r = make_safe(host, op, &draft, restore, &err);
			(void)scan_now(host, NULL);
			finish(host, name, op, r, &err, &draft);
			r = 0;
		}
	}
	if (r < 0)
		log_problem(LOG_LEVEL_ERROR, &err, "%s: cannot be reclaimed",
			    name);
	draft_close(&draft);
	lease_disown(host, claim);
}
