/* SPDX-License-Identifier: Apache-2.0
 *
 * pulled.c - a device of a lease that we keep is taken away
 */
#include "ops/pulled.h"

#include <errno.h>

#include "base/log.h"
#include "ops/commit.h"
#include "ops/context.h"
#include "ops/guarded.h"
#include "ops/lease.h"
#include "ops/watch.h"

/* How long to wait for who is at work with the devices. */
#define OWN_TIMEOUT_MS 10000

/**
 * is_there() - Is a device with its VFIO driver still?
 *
 * By its cdev; in a container it need not have one.
 */
static bool is_there(const struct lease *lease, const struct device *device)
{
	return device && (lease->container ? device->facts.vfio :
					     device->facts.cdev != 0);
}

/**
 * missing() - The first device of a lease that is not there any more
 *
 * Under the registry's lock.
 *
 * Return: its name; NULL for none, or if it is nothing to let go of.
 */
static const char *missing(struct registry *reg, const struct lease *lease)
{
	/* The ladder takes cdevs away, and has let go before. */
	if (!lease->kept || lease->state == LEASE_RECLAIMING)
		return NULL;
	for (size_t i = 0; i < lease->devices.n; i++) {
		const struct device *device =
			registry_device(reg, lease->devices.items[i]);

		if (!is_there(lease, device))
			return lease->devices.items[i];
	}
	return NULL;
}

/**
 * go_on_alone() - Close our copies of a lease that is held
 * @lease:	A copy of the lease, ours
 *
 * Its ids go on meaning what they did, to its holder. But what is mapped for that
 * of a guarded lease nobody could unmap any more, so it ends before.
 */
static int go_on_alone(struct host *host, struct lease *lease,
		       struct error *err)
{
	const struct commit commit = { .lease = lease };
	struct lease *closed = lease_copy(lease);

	if (!closed)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	if (closed->mode == LEASE_GUARDED)
		guarded_fence(host, closed);
	context_close(host, closed);
	lease_free(closed);
	lease->kept = false;
	/* There is no way back. */
	return commit_insist(host, &commit, err);
}

/**
 * let_go() - Let go of a lease whose device is taken away
 * @lease:	A copy of the lease, ours; consumed
 * @device:	Which
 */
static int let_go(struct host *host, struct lease *lease, const char *device,
		  struct error *err)
{
	char why[128];
	int r;

	log_notice("%s: %s is taken away: ioasidd closes its copies",
		   lease->name, device);
	(void)str_format(why, sizeof(why), "%s was taken away",
			 device); /* as long */
	if (lease->state == LEASE_OFFERED)
		return lease_end_offer(host, lease, why, err);
	r = go_on_alone(host, lease, err);
	lease_free(lease);
	return r;
}

/**
 * look_again() - With the lease ours, is it still so? Then let go of it
 * @name:	The lease
 *
 * Return: 0; -EAGAIN: it is to be tried again.
 */
static int look_again(struct host *host, const char *name)
{
	struct error err = ERROR_NULL;
	char claim[NAME_SIZE], device[NAME_SIZE] = "";
	struct lease *lease;
	const char *gone;
	int r;

	r = lease_own(host, NULL, NULL, name, OWN_TIMEOUT_MS, claim, &lease,
		      &err);
	if (r < 0)
		return r == -ENOENT ? 0 : -EAGAIN;
	registry_lock(host->registry);
	gone = missing(host->registry, lease);
	if (gone)
		str_copy(device, sizeof(device), gone);
	registry_unlock(host->registry);
	if (*device)
		r = let_go(host, lease, device, &err);
	else
		lease_free(lease);
	lease_disown(host, claim);
	if (r < 0 && r != -ENOMEM)
		log_problem(LOG_LEVEL_ERROR, &err, "%s: cannot be let go of",
			    name);
	return r == -ENOMEM ? -EAGAIN : 0;
}

/**
 * pulled_look() - See pulled.h
 */
void pulled_look(struct host *host)
{
	_cleanup_strv_ struct strv names = STRV_NULL;
	struct registry *reg = host->registry;
	int r = 0;

	registry_lock(reg);
	for (size_t i = 0; i < reg->n_leases && r == 0; i++)
		if (missing(reg, reg->leases[i]))
			r = strv_add(&names, reg->leases[i]->name);
	registry_unlock(reg);
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = watch_later(host, names.items[i], look_again);
	if (r < 0)
		log_warning("no memory to let go of a lease whose device is taken away: the next scan will");
}
