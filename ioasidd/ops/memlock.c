/* SPDX-License-Identifier: Apache-2.0
 *
 * memlock.c - how much memory a holder may lock: what leases add to it
 */
#include <errno.h>

#include "base/fd.h"
#include "base/log.h"
#include "ops/memlock.h"

/**
 * add() - One limit and another
 *
 * RLIM_INFINITY is the largest value there is.
 */
static rlim_t add(rlim_t a, rlim_t b)
{
	return a + b < a ? RLIM_INFINITY : a + b;
}

/* allows() - What a lease allows to be locked. */
static rlim_t allows(const struct lease *lease)
{
	return lease->memlock_unlimited ? RLIM_INFINITY : lease->memlock;
}

/**
 * memlock_with() - See memlock.h
 */
void memlock_with(const struct lease *lease, const struct rlimit *before,
		  struct rlimit *ret)
{
	*ret = *before;
	ret->rlim_cur = add(before->rlim_cur, allows(lease));
	if (ret->rlim_max < ret->rlim_cur)
		ret->rlim_max = ret->rlim_cur;
}

/**
 * without() - What the limit of a lease's holder is without that lease
 * @lease:	The lease
 * @ret:	The limit; rlim_max 0 if it is not known
 *
 * Each lease of the same process has found a limit, with what was added for those
 * before it: the lowest is the process's own.
 *
 * Under the registry's lock.
 */
static void without(struct registry *reg, struct lease *lease,
		    struct rlimit *ret)
{
	const struct holder *holder = lease_holder(lease);
	rlim_t others = 0;

	ret->rlim_cur = holder->memlock_before;
	ret->rlim_max = holder->memlock_hard_before;
	for (size_t i = 0; i < reg->n_leases; i++) {
		struct lease *other = reg->leases[i];
		const struct holder *one = lease_holder(other);

		if (other->state != LEASE_HELD || !one ||
		    str_eq(other->name, lease->name) ||
		    one->process.pid != holder->process.pid ||
		    one->process.start_ticks != holder->process.start_ticks)
			continue;
		if (one->memlock_before < ret->rlim_cur)
			ret->rlim_cur = one->memlock_before;
		if (one->memlock_hard_before < ret->rlim_max)
			ret->rlim_max = one->memlock_hard_before;
		if (!other->released_us && other->mode != LEASE_GUARDED)
			others = add(others, allows(other));
	}
	ret->rlim_cur = add(ret->rlim_cur, others);
	if (ret->rlim_max && ret->rlim_max < ret->rlim_cur)
		ret->rlim_max = ret->rlim_cur;
}

/**
 * memlock_lower() - See memlock.h
 */
int memlock_lower(struct host *host, struct lease *lease, struct error *err)
{
	const struct process *process = &lease_holder(lease)->process;
	_cleanup_fd_ int pidfd = -1;
	struct rlimit now = { 0, 0 }, limit = { 0, 0 };
	int r;

	registry_lock(host->registry);
	without(host->registry, lease, &limit);
	registry_unlock(host->registry);
	r = process_open(process->pid, process->start_ticks, &pidfd, err);
	if (r == 0)
		r = process_memlock(process->pid, pidfd, NULL, &now, err);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (!limit.rlim_max || limit.rlim_max > now.rlim_max)
		limit.rlim_max = now.rlim_max;
	if (limit.rlim_cur > now.rlim_cur)
		limit.rlim_cur = now.rlim_cur;
	if (limit.rlim_cur == now.rlim_cur && limit.rlim_max == now.rlim_max)
		return 0;
	r = process_memlock(process->pid, pidfd, &limit, NULL, err);
	if (r == 0)
		log_notice("%s: process %d may lock %llu bytes again",
			   lease->name, (int)process->pid,
			   (unsigned long long)limit.rlim_cur);
	return r == -ESRCH ? 0 : r;
}
