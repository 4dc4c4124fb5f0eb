/* SPDX-License-Identifier: Apache-2.0
 *
 * commit.c - one durable change of several objects
 */
#include <errno.h>
#include <time.h>

#include "ops/commit.h"

/* How long to wait for memory before it is asked for again. */
#define INSIST_NAP_NS 10000000

/**
 * struct writing - What the writer thread gets
 * @commit:	What to write
 * @ceiling:	No revision given so far has reached it
 */
struct writing {
	const struct commit *commit;
	uint64_t ceiling;
};

/**
 * draft_open() - See commit.h
 */
int draft_open(struct host *host, const struct strv *names, struct draft *ret,
	       struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	size_t i;

	draft.live = calloc(names->n + 1, sizeof(*draft.live));
	draft.copies = calloc(names->n + 1, sizeof(*draft.copies));
	if (!draft.live || !draft.copies)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");

	registry_lock(host->registry);
	for (i = 0; i < names->n; i++) {
		struct device *device;

		device = registry_device(host->registry, names->items[i]);
		if (!device)
			break;
		draft.live[i] = device;
		draft.copies[i] = *device;
		draft.n++;
	}
	registry_unlock(host->registry);
	if (draft.n < names->n)
		return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
				 "there is no device '%s'",
				 names->items[draft.n]);
	*ret = draft;
	draft = DRAFT_NULL;
	return 0;
}

/**
 * draft_close() - See commit.h
 */
void draft_close(struct draft *draft)
{
	size_t i;

	for (i = 0; i < draft->n; i++)
		draft_capabilities(draft, i, draft->live[i]->caps);
	free(draft->live);
	free(draft->copies);
	*draft = DRAFT_NULL;
}

/**
 * draft_capabilities() - See commit.h
 */
void draft_capabilities(struct draft *draft, size_t i,
			struct capabilities *caps)
{
	struct device *copy = &draft->copies[i];

	if (copy->caps != caps && copy->caps != draft->live[i]->caps)
		free(copy->caps);
	copy->caps = caps;
}

/**
 * draft_refresh() - See commit.h
 */
int draft_refresh(struct host *host, struct draft *draft, size_t i,
		  struct error *err)
{
	struct kernel_device facts = { .bdf = "" };
	int r;

	r = host->kernel->ops->device(host->kernel, draft->copies[i].facts.bdf,
				      &facts, err);
	if (r == 0)
		draft->copies[i].facts = facts;
	return r;
}

/**
 * write_rows() - Write the rows; on the writer thread
 * @tx:		The transaction
 * @data:	struct writing
 *
 * Return: 0 or -errno: then none of them stays.
 */
static int write_rows(struct store_tx *tx, void *data, struct error *err)
{
	const struct writing *writing = data;
	const struct commit *c = writing->commit;
	size_t i, n = c->draft ? c->draft->n : 0;
	int r;

	r = store_put_revision(tx, writing->ceiling, err);
	for (i = 0; i < n && r == 0; i++) {
		const struct device *device = &c->draft->copies[i];

		r = store_put_device(tx, device->name, device->revision,
				     &device->record, device->caps, err);
	}
	if (c->lease && r == 0)
		r = store_put_lease(tx, c->lease, err);
	if (c->op && r == 0)
		r = store_put_operation(tx, c->op, err);
	if (c->drop_lease && r == 0)
		r = store_drop_lease(tx, c->drop_lease, err);
	if (c->drop_op && r == 0)
		r = store_drop_operation(tx, c->drop_op, err);
	return r;
}

/**
 * foresee() - Give everything in a commit the revision that it will have if
 *	       nothing is published before it
 * @reg:	The registry, locked
 * @c:		The commit
 */
static void foresee(struct registry *reg, const struct commit *c)
{
	size_t i, n = c->draft ? c->draft->n : 0;

	for (i = 0; i < n; i++)
		c->draft->copies[i].revision = registry_foresee(reg);
	if (c->lease)
		c->lease->revision = registry_foresee(reg);
	if (c->op)
		c->op->revision = registry_foresee(reg);
}

/**
 * publish_draft() - Make the devices of a draft what their copies are
 * @reg:	The registry, locked
 * @draft:	The draft, durable
 *
 * Facts come from scans alone: a draft's own may be older by now.
 */
static void publish_draft(struct registry *reg, struct draft *draft)
{
	size_t i;

	for (i = 0; i < draft->n; i++) {
		struct device *live = draft->live[i];
		struct device *copy = &draft->copies[i];

		copy->recorded = true;
		live->recorded = true;
		live->record = copy->record;
		str_copy(live->lease, sizeof(live->lease), copy->lease);
		if (live->caps != copy->caps)
			free(live->caps);
		live->caps = copy->caps;
		registry_changed_device(reg, live, copy->revision);
		copy->revision = live->revision;
	}
}

/**
 * let_go() - End the claim on the devices of a draft
 * @reg:	The registry, locked
 * @draft:	Published; empty afterwards: its devices may go now
 */
static void let_go(struct registry *reg, struct draft *draft)
{
	char claim[NAME_SIZE];

	if (draft->n == 0)
		return;
	str_copy(claim, sizeof(claim), draft->live[0]->operation);
	draft->n = 0;
	if (claim[0])
		registry_unclaim(reg, claim);
}

/**
 * publish() - Show what has become durable, all of it at once
 * @reg:	The registry, locked
 * @c:		The commit
 */
static void publish(struct registry *reg, const struct commit *c)
{
	if (c->draft)
		publish_draft(reg, c->draft);
	if (c->lease && c->new_lease)
		registry_publish_lease_consume(reg, c->lease);
	else if (c->lease)
		registry_swap_lease(reg, c->lease);
	if (c->op && c->new_op)
		registry_publish_operation_consume(reg, c->op);
	else if (c->op)
		registry_take_operation(reg, c->op);
	if (c->draft && c->last)
		let_go(reg, c->draft);
}

/**
 * commit_write() - See commit.h
 */
int commit_write(struct host *host, const struct commit *commit,
		 struct error *err)
{
	struct writing writing = { .commit = commit };
	struct registry *reg = host->registry;
	int r;

	registry_lock(reg);
	foresee(reg, commit);
	writing.ceiling = registry_ceiling(reg);
	registry_unlock(reg);

	r = store_write(host->store, write_rows, &writing, err);
	if (r < 0)
		return r;

	registry_lock(reg);
	if (writing.ceiling > reg->ceiling)
		reg->ceiling = writing.ceiling;
	publish(reg, commit);
	registry_unlock(reg);
	return 0;
}

/**
 * commit_insist() - See commit.h
 */
int commit_insist(struct host *host, const struct commit *commit,
		  struct error *err)
{
	const struct timespec nap = { .tv_nsec = INSIST_NAP_NS };
	int r;

	while ((r = commit_write(host, commit, err)) == -ENOMEM)
		(void)nanosleep(&nap, NULL); /* short is fine */
	return r;
}
