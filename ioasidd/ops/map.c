/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - memory is mapped for the holder of a guarded lease, and unmapped
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ops/context.h"
#include "ops/guarded.h"
#include "ops/quota.h"

/**
 * struct mapping_job - A request at work
 * @host:	The host
 * @caller:	Who has asked
 * @lease:	A copy of the lease, taken
 * @wishes:	What is to be mapped; @n of them
 * @looked:	What came with it; @n_looked of them
 * @mappings:	What is to become of each
 * @pending:	Those that were entered, and have no row yet, or no longer
 * @outcome:	Of each
 */
struct mapping_job {
	struct host *host;
	const struct caller *caller;
	struct lease *lease;
	const struct map_wish *wishes;
	size_t n;
	struct looked *looked;
	size_t n_looked;
	struct mapping *mappings;
	bool *pending;
	struct outcome *outcome;
};

/* no_memory() - Say so. Return: -ENOMEM. */
static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "no memory");
}

/**
 * find_refusal() - One that says the same
 * @words:	With the same words; else of the same kind
 *
 * Return: its number, from 1 on; 0 for none.
 */
static uint32_t find_refusal(const struct outcome *outcome,
			     const struct error *err, bool words)
{
	for (size_t i = 0; i < outcome->n_refusals; i++)
		if (outcome->refusals[i].kind == err->kind &&
		    (!words ||
		     (str_eq(outcome->refusals[i].object, err->object) &&
		      !strncmp(outcome->refusals[i].msg, err->msg,
			       sizeof(outcome->refusals[i].msg) - 1))))
			return (uint32_t)i + 1;
	return 0;
}

/**
 * outcome_refuse() - See guarded.h
 *
 * There are fewer kinds than there is room for.
 */
void outcome_refuse(struct outcome *outcome, size_t i,
		    const struct error *err)
{
	uint32_t found = find_refusal(outcome, err, true);
	struct refusal *one;

	if (!found && outcome->n_refusals >= REFUSALS_OWN)
		found = find_refusal(outcome, err, false);
	if (!found && outcome->n_refusals < REFUSALS_MAX) {
		one = &outcome->refusals[outcome->n_refusals++];
		one->kind = err->kind;
		(void)str_copy(one->msg, sizeof(one->msg), err->msg);
		(void)str_copy(one->object, sizeof(one->object), err->object);
		found = (uint32_t)outcome->n_refusals;
	}
	outcome->results[i] = found ?: (uint32_t)outcome->n_refusals;
}

/**
 * pin_limit() - How much may be pinned for the lease?
 *
 * Its owner was charged for that when the lease was made.
 *
 * Return: the most that may be mapped for the lease, bytes.
 */
static uint64_t pin_limit(const struct lease *lease)
{
	return lease->memlock_unlimited ? UINT64_MAX : lease->memlock;
}

/**
 * check_place() - Can something be mapped there at all?
 *
 * Return: 0; -EINVAL memory.range, memory.outside-windows.
 */
static int check_place(const struct space *space,
		       const struct mapping *mapping, struct error *err)
{
	const uint64_t alignment = space->alignment ?: 4096;

	if (!mapping->length ||
	    (mapping->iova | mapping->length | mapping->offset) % alignment)
		return error_set(err, -EINVAL, ERROR_MEMORY_RANGE,
				 "offset, length and iova are no multiples of %llu, or there is no length",
				 (unsigned long long)alignment);
	if (mapping->length - 1 > UINT64_MAX - mapping->iova ||
	    mapping->length > UINT64_MAX - mapping->offset)
		return error_set(err, -EINVAL, ERROR_MEMORY_RANGE,
				 "0x%llx bytes at 0x%llx go beyond 2^64",
				 (unsigned long long)mapping->length,
				 (unsigned long long)mapping->iova);
	if (!mapping_inside(mapping, space->windows, space->n_windows))
		return error_set(err, -EINVAL, ERROR_MEMORY_OUTSIDE_WINDOWS,
				 "0x%llx bytes at 0x%llx are not in one of its %zu windows",
				 (unsigned long long)mapping->length,
				 (unsigned long long)mapping->iova,
				 space->n_windows);
	return 0;
}

/**
 * enter() - Enter a mapping among what is mapped
 * @name:	Of the space
 *
 * Return: 0; -EINVAL memory.overlap; -EAGAIN limit.mappings; -EDQUOT
 * limit.pinned; -ENOMEM.
 */
static int enter(struct lease *lease, const char *name,
		 const struct mapping *mapping, struct error *err)
{
	const uint64_t limit = pin_limit(lease);
	struct mapping other;
	int r;

	r = mapped_add(lease->mapped, name, mapping, limit, &other);
	if (r == -EEXIST)
		return error_set(err, r, ERROR_MEMORY_OVERLAP,
				 "0x%llx bytes are mapped at 0x%llx",
				 (unsigned long long)other.length,
				 (unsigned long long)other.iova);
	if (r == -ENOSPC)
		return error_set(err, r, ERROR_LIMIT_MAPPINGS,
				 "there are %d mappings", MAPPINGS_MAX);
	if (r == -EDQUOT)
		return error_set(err, r, ERROR_LIMIT_PINNED,
				 "0x%llx bytes more than may be mapped for the lease, 0x%llx in all",
				 (unsigned long long)mapping->length,
				 (unsigned long long)limit);
	return r < 0 ? no_memory(err) : 0;
}

/**
 * check_wish() - Check one entry, and enter it
 * @i:		Which
 *
 * Return: 0 or -errno.
 */
static int check_wish(struct mapping_job *job, size_t i, struct error *err)
{
	const struct map_wish *wish = &job->wishes[i];
	struct mapping *mapping = &job->mappings[i];
	const struct looked *looked;
	const struct space *space;
	int r;

	space = lease_space(job->lease, wish->space);
	if (!space)
		return error_set(err, -ENOENT, ERROR_SPACE_NOT_FOUND,
				 "the lease has no such space");
	if (wish->descriptor >= job->n_looked)
		return error_set(err, -EINVAL, ERROR_MEMORY_DESCRIPTOR,
				 "descriptor %u of %zu", wish->descriptor,
				 job->n_looked);
	looked = &job->looked[wish->descriptor];
	if (looked->r < 0) {
		*err = looked->why;
		return looked->r;
	}
	*mapping = wish->mapping;
	mapping->memory = looked->memory.inode;
	r = check_place(space, mapping, err);
	if (r == 0)
		r = memory_check(looked, mapping, err);
	return r < 0 ? r : enter(job->lease, wish->space, mapping, err);
}

/**
 * put_all() - Write what was entered; a store_fn
 */
static int put_all(struct store_tx *tx, void *data, struct error *err)
{
	const struct mapping_job *job = data;
	int r = 0;

	for (size_t i = 0; i < job->n && r == 0; i++)
		if (job->pending[i])
			r = store_put_mapping(tx, job->lease->name,
					      job->wishes[i].space,
					      &job->mappings[i], err);
	return r;
}

/**
 * drop_all() - Forget what is not mapped; a store_fn
 */
static int drop_all(struct store_tx *tx, void *data, struct error *err)
{
	const struct mapping_job *job = data;
	int r = 0;

	for (size_t i = 0; i < job->n && r == 0; i++)
		if (job->pending[i])
			r = store_drop_mapping(tx, job->lease->name,
					       job->wishes[i].space,
					       job->mappings[i].iova,
					       job->mappings[i].iova, err);
	return r;
}

/**
 * take_out() - Take what is pending out again
 */
static void take_out(struct mapping_job *job)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->pending[i])
			mapped_remove(job->lease->mapped, job->wishes[i].space,
				      job->mappings[i].iova);
}

/**
 * map_pieces() - Have the kernel map one entry, piece by piece
 *
 * On failure it is not known how much of it is mapped.
 *
 * Return: 0; -errno; -EINVAL lease.state: there is nobody to map for any more.
 */
static int map_pieces(struct mapping_job *job, const struct space *space,
		      const struct looked *looked,
		      const struct mapping *mapping, struct error *err)
{
	uint64_t done = 0;
	int r = 0;

	while (done < mapping->length && r == 0) {
		struct mapping piece = *mapping;

		if (guarded_over(job->lease, job->caller))
			return error_set(err, -EINVAL, ERROR_LEASE_STATE,
					 "the lease is over");
		piece.iova += done;
		piece.offset += done;
		piece.length -= done;
		if (piece.length > MAP_PIECE)
			piece.length = MAP_PIECE;
		r = context_map(job->host, job->lease, space, looked->fd,
				&piece, err);
		done += piece.length;
	}
	return r;
}

/**
 * map_wish() - Have the kernel map one entry, or nothing of it
 * @i:		Which; stays pending if nothing of it is mapped
 */
static void map_wish(struct mapping_job *job, size_t i)
{
	const struct map_wish *wish = &job->wishes[i];
	const struct mapping *mapping = &job->mappings[i];
	const struct space *space = lease_space(job->lease, wish->space);
	struct error err = ERROR_NULL, undo = ERROR_NULL;
	int r;

	r = map_pieces(job, space, &job->looked[wish->descriptor], mapping,
		       &err);
	job->pending[i] = r < 0;
	if (r == 0) {
		job->outcome->bytes += mapping->length;
		return;
	}
	error_object(&err, "%s", wish->space);
	outcome_refuse(job->outcome, i, &err);
	/* The piece that failed, too: nothing else is in its place. */
	r = context_unmap(job->host, job->lease, space, mapping->iova,
			  mapping->iova + (mapping->length - 1), &undo);
	if (r == 0)
		return;
	/* The kernel may have it: so it is not forgotten. */
	job->pending[i] = false;
	log_problem(LOG_LEVEL_ERROR, &undo, "%s: a part of it stays mapped",
		    wish->space);
}

/**
 * map_all() - Check, record, map, and record what could not be
 *
 * Return: 0: each has its result; -errno: nothing is mapped.
 */
static int map_all(struct mapping_job *job, struct error *err)
{
	bool any = false;
	int r;

	for (size_t i = 0; i < job->n; i++) {
		struct error each = ERROR_NULL;

		r = check_wish(job, i, &each);
		job->pending[i] = r == 0;
		any |= r == 0;
		if (r == 0)
			continue;
		if (!*each.object)
			error_object(&each, "%s", job->wishes[i].space);
		outcome_refuse(job->outcome, i, &each);
	}
	r = any ? store_write(job->host->store, put_all, job, err) : 0;
	if (r < 0) {
		take_out(job);
		return r;
	}
	any = false;
	for (size_t i = 0; i < job->n; i++)
		if (job->pending[i]) {
			map_wish(job, i);
			any |= job->pending[i];
		}
	/* If it cannot be recorded more is remembered than there is. */
	if (any && store_write(job->host->store, drop_all, job, NULL) == 0)
		take_out(job);
	return 0;
}

/**
 * map_charged() - The same, if its owner may have so many mappings
 */
static int map_charged(struct mapping_job *job, struct error *err)
{
	struct charge charge = { .more[QUOTA_MAPPINGS] = job->n };
	int r;

	str_copy(charge.owner, sizeof(charge.owner), job->lease->owner);
	r = quota_begin(job->host, &charge, err);
	if (r == 0)
		r = map_all(job, err);
	quota_end(job->host, &charge);
	return r;
}

/**
 * job_alloc() - Make room for a request
 *
 * Return: 0 or -ENOMEM; job_free() in any case.
 */
static int job_alloc(struct mapping_job *job, size_t n_fds)
{
	job->looked = calloc(n_fds ?: 1, sizeof(*job->looked));
	job->mappings = calloc(job->n ?: 1, sizeof(*job->mappings));
	job->pending = calloc(job->n ?: 1, sizeof(*job->pending));
	job->outcome->refusals = calloc(REFUSALS_MAX,
					sizeof(*job->outcome->refusals));
	return job->looked && job->mappings && job->pending &&
	       job->outcome->refusals ? 0 : -ENOMEM;
}

/* job_free() - Free what was made. */
static void job_free(struct mapping_job *job)
{
	free(job->looked);
	free(job->mappings);
	free(job->pending);
}

/**
 * memory_map() - See guarded.h
 */
int memory_map(struct host *host, const struct caller *caller,
	       const char *name, const int *fds, size_t n_fds,
	       const struct map_wish *wishes, size_t n,
	       struct outcome *outcome, struct error *err)
{
	struct mapping_job job = {
		.host = host, .caller = caller, .wishes = wishes, .n = n,
		.outcome = outcome,
	};
	int r;

	if (job_alloc(&job, n_fds) < 0) {
		job_free(&job);
		return no_memory(err);
	}
	r = guarded_begin(host, caller, name, &job.lease, err);
	if (r == 0) {
		for (; job.n_looked < n_fds; job.n_looked++)
			memory_look(fds[job.n_looked], job.lease->mapped,
				    &job.looked[job.n_looked]);
		r = map_charged(&job, err);
		guarded_done(job.lease);
	}
	job_free(&job);
	return r;
}

/* --- unmapping --- */

/**
 * struct unmapping - A range that is unmapped, or was
 * @start:	Where its first mapping begins
 * @last:	Where its last one ends
 * @done:	It was
 */
struct unmapping {
	uint64_t start, last;
	bool done;
};

/**
 * struct unmapping_job - A request at work
 * @host:	The host
 * @lease:	A copy of the lease, taken
 * @wishes:	What is to be unmapped; @n of them
 * @ranges:	What that is
 */
struct unmapping_job {
	struct host *host;
	struct lease *lease;
	const struct unmap_wish *wishes;
	size_t n;
	struct unmapping *ranges;
};

/**
 * refuse_cut() - A range cuts a mapping
 *
 * Return: -EINVAL.
 */
static int refuse_cut(const struct mapping *mapping, struct error *err)
{
	return error_set(err, -EINVAL, ERROR_MEMORY_BOUNDARY,
			 "the mapping at 0x%llx has 0x%llx bytes",
			 (unsigned long long)mapping->iova,
			 (unsigned long long)mapping->length);
}

/**
 * find_range() - Which mappings are to end?
 * @ret:	From the first one's begin to the last one's end; empty, with
 *		@last before @start, for none
 * @ret_bytes:	How much that is
 *
 * Return: 0; -EINVAL memory.boundary, memory.range; -ENOENT memory.not-mapped.
 */
static int find_range(struct mapped *mapped, const struct unmap_wish *wish,
		      struct unmapping *ret, uint64_t *ret_bytes,
		      struct error *err)
{
	const bool all = !wish->iova && wish->length == UINT64_MAX;
	uint64_t at = wish->iova, last;
	struct mapping mapping;
	bool any = false;

	*ret_bytes = 0;
	if (!wish->length || wish->length - 1 > UINT64_MAX - wish->iova)
		return error_set(err, -EINVAL, ERROR_MEMORY_RANGE,
				 "there is no such range");
	last = all ? UINT64_MAX : wish->iova + (wish->length - 1);
	while (mapped_next(mapped, wish->space, at, &mapping) &&
	       mapping.iova <= last) {
		const uint64_t end = mapping.iova + (mapping.length - 1);

		if (mapping.iova < wish->iova || end > last)
			return refuse_cut(&mapping, err);
		if (!any)
			ret->start = mapping.iova;
		ret->last = end;
		*ret_bytes += mapping.length;
		any = true;
		if (end == UINT64_MAX)
			break;
		at = end + 1;
	}
	if (!any && !all)
		return error_set(err, -ENOENT, ERROR_MEMORY_NOT_MAPPED,
				 "nothing is mapped at 0x%llx",
				 (unsigned long long)wish->iova);
	if (!any)
		*ret = (struct unmapping){ .start = 1, .last = 0 };
	return 0;
}

/**
 * forget() - Take out what has ended
 */
static void forget(struct mapped *mapped, const char *space,
		   const struct unmapping *range)
{
	struct mapping mapping;

	while (mapped_next(mapped, space, range->start, &mapping) &&
	       mapping.iova <= range->last)
		mapped_remove(mapped, space, mapping.iova);
}

/**
 * unmap_wish() - Unmap one range
 *
 * Return: 0; as find_range(); -errno of the kernel: some of it may be.
 */
static int unmap_wish(struct unmapping_job *job, size_t i, uint64_t *ret_bytes,
		      struct error *err)
{
	const struct unmap_wish *wish = &job->wishes[i];
	struct unmapping *range = &job->ranges[i];
	const struct space *space;
	int r;

	space = lease_space(job->lease, wish->space);
	if (!space)
		return error_set(err, -ENOENT, ERROR_SPACE_NOT_FOUND,
				 "the lease has no such space");
	r = find_range(job->lease->mapped, wish, range, ret_bytes, err);
	if (r < 0 || range->last < range->start)
		return r;
	r = context_unmap(job->host, job->lease, space, range->start,
			  range->last, err);
	if (r < 0)
		return r;
	range->done = true;
	forget(job->lease->mapped, wish->space, range);
	return 0;
}

/**
 * drop_ranges() - Forget what has ended; a store_fn
 */
static int drop_ranges(struct store_tx *tx, void *data, struct error *err)
{
	const struct unmapping_job *job = data;
	int r = 0;

	for (size_t i = 0; i < job->n && r == 0; i++)
		if (job->ranges[i].done)
			r = store_drop_mapping(tx, job->lease->name,
					       job->wishes[i].space,
					       job->ranges[i].start,
					       job->ranges[i].last, err);
	return r;
}

/**
 * unmap_all() - Unmap each, and record it
 */
static int unmap_all(struct unmapping_job *job, struct outcome *outcome,
		     struct error *err)
{
	bool any = false;

	for (size_t i = 0; i < job->n; i++) {
		struct error each = ERROR_NULL;
		uint64_t bytes = 0;
		int r = unmap_wish(job, i, &bytes, &each);

		any |= job->ranges[i].done;
		if (r == 0) {
			outcome->bytes += bytes;
			continue;
		}
		error_object(&each, "%s", job->wishes[i].space);
		outcome_refuse(outcome, i, &each);
	}
	return any ? store_write(job->host->store, drop_ranges, job, err) : 0;
}

/**
 * memory_unmap() - See guarded.h
 */
int memory_unmap(struct host *host, const struct caller *caller,
		 const char *name, const struct unmap_wish *wishes, size_t n,
		 struct outcome *outcome, struct error *err)
{
	struct unmapping_job job = { .host = host, .wishes = wishes, .n = n };
	int r;

	job.ranges = calloc(n ?: 1, sizeof(*job.ranges));
	outcome->refusals = calloc(REFUSALS_MAX, sizeof(*outcome->refusals));
	if (!job.ranges || !outcome->refusals) {
		free(job.ranges);
		return no_memory(err);
	}
	r = guarded_begin(host, caller, name, &job.lease, err);
	if (r == 0) {
		r = unmap_all(&job, outcome, err);
		guarded_done(job.lease);
	}
	free(job.ranges);
	return r;
}
