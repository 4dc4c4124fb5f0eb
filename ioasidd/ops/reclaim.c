/* SPDX-License-Identifier: Apache-2.0
 *
 * reclaim.c - a holder has ended: its devices are made safe, its lease ends
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/container.h"
#include "ops/context.h"
#include "ops/group.h"
#include "ops/ladder.h"
#include "ops/lease.h"
#include "ops/nodes.h"
#include "ops/scan.h"
#include "ops/watch.h"

/* A claim that has just been answered may still be recording it. */
#define OWN_TIMEOUT_MS 60000

/**
 * begin() - Make durable that the lease is being reclaimed, and by what
 * @lease:	A copy of the lease; consumed
 * @op:		The operation; consumed
 * @ret:	A copy of the lease as it is to become at the end
 *
 * Return: 0: @op is the registry's; -errno: nothing has begun.
 */
static int begin(struct host *host, struct lease *lease, struct operation *op,
		 struct lease **ret, struct error *err)
{
	struct holder *holder = lease_holder(lease);
	int r = -ENOMEM;

	lease->state = LEASE_RECLAIMING;
	str_copy(lease->reclaim, sizeof(lease->reclaim), op->name);
	if (holder && !holder->until_us) {
		holder->until_us = clock_real_us();
		str_copy(holder->why, sizeof(holder->why), "ended");
	}
	*ret = lease_copy(lease);
	if (*ret) {
		r = journal_begin_consume(host, op, lease, err);
	} else {
		error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
		operation_free(op);
	}
	lease_free(lease);
	if (r < 0)
		*ret = lease_free(*ret);
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
		registry_changed_device(host->registry, draft->live[i], 0);
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
 * fence_method() - What the fence of a lease can be
 * @lease:	A copy of the lease
 */
static const char *fence_method(struct host *host, const struct lease *lease)
{
	bool contained = true;

	if (lease->container)
		return container_fence_method(host);
	registry_lock(host->registry);
	for (size_t i = 0; i < lease->devices.n; i++)
		contained = contained &&
			    !registry_no_iommu(host->registry,
					       lease->devices.items[i]);
	registry_unlock(host->registry);
	return contained ? "unmap all, detach" :
			   "no IOMMU: closed, then unpinned";
}

/**
 * let_go() - Of a hold or guarded lease: fence its spaces, and let go of its
 *	      descriptors
 * @lease:	A copy of the lease
 *
 * The fence comes first: nothing that was mapped can be reached from then on,
 * whoever still has a copy. That it fails is no reason not to go on. Of a device
 * without an IOMMU there is no fence: what quiets it is its last close, which
 * comes before what it had mapped is unpinned.
 */
static void let_go(struct host *host, struct operation *op,
		   struct lease *lease)
{
	struct error err = ERROR_NULL;
	uint64_t bytes = 0;
	struct act act;
	int r;

	if (!lease->kept)
		return;
	(void)journal_before(host, op, &act, lease->name, "fence",
			     fence_method(host, lease),
			     &err); /* fenced all the same */
	r = context_fence(host, lease, &bytes, &err);
	(void)journal_after(host, op, &act, r, &err); /* r again */
	if (r == 0 && bytes)
		log_info("%s: %llu bytes were mapped", lease->name,
			 (unsigned long long)bytes);
	context_close(host, lease);
}

/**
 * lease_reclaim_owned() - See lease.h
 */
int lease_reclaim_owned(struct host *host, struct lease *lease,
			const char *end_reason, struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	const bool restore = lease->restore_after;
	struct error why = ERROR_NULL;
	struct lease *ended = NULL;
	struct operation *op;
	int r;

	op = operation_new(OPERATION_RECLAIM, lease->name, "ioasidd", "");
	r = op ? draft_open(host, &lease->devices, &draft, err) :
		 error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "no memory");
	if (r < 0) {
		operation_free(op);
		lease_free(lease);
		return r;
	}
	r = begin(host, lease, op, &ended, err);
	if (r < 0)
		return r;
	mark_reclaiming(host, &draft);
	nodes_close_for(host, op, ended);
	let_go(host, op, ended);
	r = make_safe(host, op, &draft, restore, &why);
	(void)scan_now(host, NULL);
	lease_end(ended, end_reason);
	/* If the end cannot be recorded the next start does it again. */
	(void)journal_end(host, op, r, &why, ended, &draft, err);
	lease_free(ended);
	return 0;
}

/**
 * offer_again() - A hold or guarded lease's holder has ended: a successor may
 *		   claim it
 * @lease:	A copy of the lease; consumed
 *
 * Return: 0 or -errno.
 */
static int offer_again(struct host *host, struct lease *lease,
		       struct error *err)
{
	const struct commit commit = { .lease = lease };
	struct holder *holder = lease_holder(lease);
	int r;

	lease->state = LEASE_OFFERED;
	lease->acknowledged = false;
	lease->expires_us = clock_real_us() +
			    UINT64_C(1000) * lease->grace_ms;
	if (holder && !holder->until_us) {
		holder->until_us = clock_real_us();
		str_copy(holder->why, sizeof(holder->why), "ended");
	}
	r = commit_write(host, &commit, err);
	if (r == 0) {
		log_notice("%s: its holder has ended; a successor may claim it for %u ms",
			   lease->name, lease->grace_ms);
		watch_offers(host);
	}
	lease_free(lease);
	return r;
}

/**
 * holder_ended() - Go on with a lease whose holder has ended
 * @lease:	A copy of the lease, which is ours; consumed
 *
 * Return: 0 or -errno.
 */
static int holder_ended(struct host *host, struct lease *lease,
			struct error *err)
{
	/* Somebody else has come first. */
	if (lease->state == LEASE_ENDED || lease->state == LEASE_OFFERED) {
		lease_free(lease);
		return 0;
	}
	if (lease->kept && lease->grace_ms &&
	    lease->state != LEASE_RECLAIMING)
		return offer_again(host, lease, err);
	return lease_reclaim_owned(host, lease, "holder ended", err);
}

/**
 * lease_reclaim() - See lease.h
 */
int lease_reclaim(struct host *host, const char *name)
{
	struct error err = ERROR_NULL;
	char claim[NAME_SIZE];
	struct lease *lease;
	int r;

	r = lease_own(host, NULL, NULL, name, OWN_TIMEOUT_MS, claim, &lease,
		      &err);
	if (r == 0) {
		r = holder_ended(host, lease, &err);
		lease_disown(host, claim);
	}
	if (r == -ENOMEM || r == -EBUSY) {
		log_warning("%s: cannot be reclaimed yet: %s", name,
			    r == -ENOMEM ? "no memory" : err.msg);
		return -EAGAIN;
	}
	if (r < 0)
		log_problem(LOG_LEVEL_ERROR, &err, "%s: cannot be reclaimed",
			    name);
	return 0;
}
