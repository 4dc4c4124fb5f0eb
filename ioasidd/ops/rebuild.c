/* SPDX-License-Identifier: Apache-2.0
 *
 * rebuild.c - hold and guarded leases that are offered when we start: their
 * contexts, made anew
 */
#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "ops/container.h"
#include "ops/context.h"
#include "ops/lease.h"

/* Nobody else is at work with its devices when we start. */
#define OWN_TIMEOUT_MS 2000

/* A child that our earlier life had just made has copies of its descriptors, for
 * as long as it takes to be scheduled.
 */
#define LEFT_TRIES 20
#define LEFT_PAUSE_NS 50000000

/**
 * make_anew() - Make the context of a lease that nobody has claimed yet
 * @lease:	A copy of the lease
 *
 * What it promises was placed before; whether it still can be says the kernel.
 *
 * Return: 0; -errno: there is none.
 */
static int make_anew(struct host *host, struct lease *lease,
		     struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	const struct commit commit = { .lease = lease };
	int r;

	r = draft_open(host, &lease->devices, &draft, err);
	if (r == 0)
		r = container_choose(host, lease, &draft, err);
	if (r == 0)
		r = context_open(host, lease, &draft, err);
	if (r == 0) {
		r = commit_write(host, &commit, err);
		if (r < 0)
			context_close(host, lease);
	}
	return r;
}

/**
 * has_somebody() - Is a device bound already, or a group open?
 * @r:		What came of making a context
 */
static bool has_somebody(int r)
{
	return r == -EINVAL || r == -EBUSY;
}

/**
 * rebuild() - Go on with an offered lease
 * @lease:	A copy of the lease, ours; consumed
 *
 * Each try has a copy of its own: what fails leaves something in it. Without
 * memory for one the lease is left as it is.
 */
static int rebuild(struct host *host, struct lease *lease, struct error *err)
{
	const struct timespec pause = { .tv_nsec = LEFT_PAUSE_NS };
	struct lease *copy;
	char why[128];
	int r;

	if (lease->incarnation)
		return lease_end_offer(host, lease,
				       "ioasidd was started anew, and had no descriptors of it",
				       err);
	for (int i = 0;; i++) {
		copy = lease_copy(lease);
		if (!copy) {
			lease_free(lease);
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory");
		}
		r = make_anew(host, copy, err);
		lease_free(copy);
		if (!has_somebody(r) || i == LEFT_TRIES)
			break;
		(void)nanosleep(&pause, NULL); /* short is fine */
	}
	if (r < 0) {
		log_problem(LOG_LEVEL_WARNING, err,
			    "%s: cannot be made again", lease->name);
		(void)str_format(why, sizeof(why), "cannot be made again: %s",
				 err->msg); /* as far as there is room */
		return lease_end_offer(host, lease, why, err);
	}
	lease_free(lease);
	return r;
}

/**
 * lease_rebuild() - See lease.h
 */
int lease_rebuild(struct host *host, const char *name, struct error *err)
{
	char claim[NAME_SIZE];
	struct lease *lease;
	int r;

	r = lease_own(host, NULL, NULL, name, OWN_TIMEOUT_MS, claim, &lease,
		      err);
	if (r < 0)
		return r;
	r = rebuild(host, lease, err);
	lease_disown(host, claim);
	return r;
}
