/* SPDX-License-Identifier: Apache-2.0
 *
 * startup.c - from the database and the machine to a registry that is true
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ops/context.h"
#include "ops/group.h"
#include "ops/lease.h"
#include "ops/nodes.h"
#include "ops/parked.h"
#include "ops/scan.h"
#include "ops/startup.h"
#include "ops/watch.h"
#include "ops/workers.h"

/* --- loading --- */

/**
 * load_revision() - Take over the ceiling; for store_load()
 */
static int load_revision(void *data, uint64_t revision)
{
	struct registry *reg = data;

	reg->revision = revision;
	reg->shown = revision;
	reg->ceiling = revision;
	return 0;
}

/**
 * load_device() - Take over a device's record; for store_load()
 *
 * What was probed in another boot says nothing about this one.
 */
static int load_device(void *data, const char *name, uint64_t revision,
		       const struct device_record *record,
		       const struct capabilities *caps)
{
	struct registry *reg = data;
	struct device *device;
	int r;

	r = registry_record(reg, name, &device);
	if (r < 0)
		return r;
	device->record = *record;
	device->recorded = true;
	device->revision = revision;
	if (!caps || !str_eq(caps->boot_id, reg->boot_id))
		return 0;
	device->caps = malloc(sizeof(*caps));
	if (!device->caps)
		return -ENOMEM;
	*device->caps = *caps;
	return 0;
}

/**
 * load_lease() - Take over a lease; for store_load()
 */
static int load_lease(void *data, struct lease *lease)
{
	struct registry *reg = data;
	struct device *device;
	size_t i;
	int r;

	for (i = 0; lease->state != LEASE_ENDED && i < lease->devices.n; i++) {
		r = registry_record(reg, lease->devices.items[i], &device);
		if (r < 0) {
			lease_free(lease);
			return r;
		}
		str_copy(device->lease, NAME_SIZE, lease->name);
	}
	return registry_add_lease_consume(reg, lease);
}

/**
 * load_operation() - Take over an operation; for store_load()
 */
static int load_operation(void *data, struct operation *op)
{
	return registry_add_operation_consume(data, op);
}

/**
 * startup_load() - See startup.h
 */
int startup_load(struct host *host, struct error *err)
{
	static const struct store_loader loader = {
		.revision = load_revision,
		.device = load_device,
		.lease = load_lease,
		.operation = load_operation,
	};
	int r;

	registry_lock(host->registry);
	r = store_load(host->store, &loader, host->registry, err);
	registry_unlock(host->registry);
	return r < 0 ? r : scan_now(host, err);
}

/* --- operations that were interrupted --- */

/**
 * struct interrupted - An operation to be ended; owned by its worker
 * @host:	The host
 * @op:		The registry's
 * @draft:	The devices it had claimed
 */
struct interrupted {
	struct host *host;
	struct operation *op;
	struct draft draft;
};

/**
 * finish_restore() - Walk a restore forward
 * @t:		The operation
 *
 * Return: 0 or the first -errno.
 */
static int finish_restore(struct interrupted *t, struct error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < t->draft.n; i++) {
		struct device *device = &t->draft.copies[i];
		struct error each = ERROR_NULL;
		int s;

		if (!device->recorded || !device->record.prepared)
			continue;
		s = group_give_back(t->host, t->op, device, &each);
		if (s == 0) {
			draft_capabilities(&t->draft, i, NULL);
			continue;
		}
		record_trouble(device, &each, "see why its driver refuses it");
		if (r == 0) {
			r = s;
			*err = each;
		}
	}
	return r;
}

/**
 * end_interrupted() - Walk one operation to an end; on a worker
 * @data:	struct interrupted; owned
 */
static void end_interrupted(void *data)
{
	struct interrupted *t = data;
	struct host *host = t->host;
	struct error why = ERROR_NULL, err = ERROR_NULL;
	char name[NAME_SIZE];
	int r = 0;

	str_copy(name, sizeof(name), t->op->name);
	switch (t->op->kind) {
	case OPERATION_PREPARE:
		if (group_rollback(host, t->op, &t->draft, &err) < 0)
			log_problem(LOG_LEVEL_ERROR, &err,
				    "%s: cannot undo it all", name);
		r = error_set(&why, -EINTR, ERROR_OPERATION_INTERRUPTED,
			      "ioasidd ended during '%s'; undone at its start",
			      t->op->step);
		break;
	case OPERATION_RESTORE:
		r = finish_restore(t, &why);
		break;
	case OPERATION_RECOVER:
	case OPERATION_RECLAIM:
		/* What is left of it is in the records of device and lease. */
		r = error_set(&why, -EINTR, ERROR_OPERATION_INTERRUPTED,
			      "ioasidd ended during '%s'", t->op->step);
		break;
	case OPERATION_KIND_COUNT:
		break;
	}
	(void)scan_now(host, NULL);
	(void)journal_end(host, t->op, r, &why, NULL, &t->draft, &err);
	draft_close(&t->draft);
	lease_disown(host, name);
	free(t);
}

/**
 * devices_of() - The devices an operation had claimed
 * @op:		The operation
 * @ret:	Their names
 *
 * Return: 0 or -ENOMEM.
 */
static int devices_of(struct registry *reg, const struct operation *op,
		      struct strv *ret)
{
	const struct device *device;
	size_t i;
	int r = 0;

	for (i = 0; i < op->n_undo && r == 0; i++)
		if (registry_device(reg, op->undo[i].device))
			r = strv_add(ret, op->undo[i].device);
	if (r < 0 || op->n_undo)
		return r;
	device = registry_device(reg, op->target);
	return device ? strv_add(ret, device->name) : 0;
}

/**
 * resume_operation() - Claim what an operation had, and have it ended
 * @op:		The registry's, running
 *
 * Return: 0 or -errno.
 */
static int resume_operation(struct host *host, struct operation *op,
			    struct error *err)
{
	_cleanup_strv_ struct strv names = STRV_NULL, all = STRV_NULL;
	struct interrupted *t = calloc(1, sizeof(*t));
	int r = t ? 0 : -ENOMEM;

	registry_lock(host->registry);
	if (r == 0)
		r = devices_of(host->registry, op, &names);
	if (r == 0)
		r = registry_claim(host->registry, &names, op->name, &all, err);
	registry_unlock(host->registry);
	if (r == 0) {
		t->host = host;
		t->op = op;
		r = draft_open(host, &all, &t->draft, err);
	}
	if (r == 0) {
		log_notice("%s: %s %s was interrupted during '%s'", op->name,
			   operation_kind_name(op->kind), op->target, op->step);
		r = workers_submit(host->workers, end_interrupted, t);
	}
	if (r != 0 && t) {
		draft_close(&t->draft);
		free(t);
	}
	if (r == -ENOMEM)
		error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	return r;
}

/* --- leases --- */

/**
 * adopt() - The holder lives: watch it, and record that it holds
 * @lease:	A copy of the lease; consumed
 * @pidfd:	The holder; consumed
 *
 * Return: 0 or -errno.
 */
static int adopt(struct host *host, struct lease *lease, int pidfd,
		 struct error *err)
{
	const struct commit commit = { .lease = lease };
	struct watch *watch = NULL;
	char name[NAME_SIZE];
	int r;

	str_copy(name, sizeof(name), lease->name);
	r = watch_new(host, name, &watch);
	log_notice("%s: process %d (%s) holds it", name,
		   (int)lease_holder(lease)->process.pid,
		   lease_holder(lease)->process.comm);
	if (r == 0 && lease->state == LEASE_CLAIMING) {
		/* Its descriptors may have left: then they count as received. */
		lease->state = LEASE_HELD;
		r = commit_write(host, &commit, err);
	}
	if (r == 0)
		r = nodes_resume(host, lease);
	lease_free(lease);
	if (r < 0) {
		fd_close(pidfd);
		watch_free(watch);
	} else {
		watch_holder_consume(watch, pidfd);
	}
	return r;
}

/**
 * end_after_reboot() - The holder was of another boot: nothing is left of it
 * @lease:	A copy of the lease; consumed
 *
 * Return: 0 or -errno.
 */
static int end_after_reboot(struct host *host, struct lease *lease,
			    struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	const struct commit commit = { .lease = lease, .draft = &draft };
	struct holder *holder = lease_holder(lease);
	size_t i;
	int r;

	r = draft_open(host, &lease->devices, &draft, err);
	if (r == 0) {
		for (i = 0; i < draft.n; i++)
			draft.copies[i].lease[0] = '\0';
		/* The nodes of this boot never had an entry of ours. */
		for (i = 0; i < lease->n_nodes; i++)
			lease->nodes[i].open = false;
		if (holder && !holder->until_us) {
			holder->until_us = clock_real_us();
			str_copy(holder->why, sizeof(holder->why),
				 "the host was restarted");
		}
		lease_end(lease, "the host was restarted");
		log_notice("%s: ended, the host was restarted", lease->name);
		r = commit_write(host, &commit, err);
	}
	lease_free(lease);
	return r;
}

/**
 * take_over() - Take over what the service manager has kept of a lease
 * @lease:	A copy of the lease; is kept if there is anything
 *
 * To clients it is as it was before: no new revision.
 */
static void take_over(struct host *host, struct lease *lease)
{
	struct lease *live;

	lease->kept = context_adopt(host, lease);
	registry_lock(host->registry);
	live = registry_lease(host->registry, lease->name);
	if (live) {
		live->kept = lease->kept;
		live->container = lease->container;
	}
	registry_unlock(host->registry);
}

/**
 * resume_lease() - See what has become of a lease's holder
 * @lease:	A copy of the lease; consumed
 *
 * Return: 0 or -errno.
 */
static int resume_lease(struct host *host, struct lease *lease,
			struct error *err)
{
	struct holder *holder = lease_holder(lease);
	int pidfd, r = -ESRCH;
	char name[NAME_SIZE];

	if (lease_is_kept(lease) && lease->state != LEASE_ENDED)
		take_over(host, lease);
	if (lease->state == LEASE_OFFERED || lease->state == LEASE_ENDED) {
		if (lease->state == LEASE_OFFERED && lease->expires_us)
			watch_offers(host);
		r = 0;
		if (lease->state == LEASE_OFFERED &&
		    lease_is_kept(lease) && !lease->kept)
			r = lease_rebuild(host, lease->name, err);
		lease_free(lease);
		return r;
	}
	if (!holder || !str_eq(holder->boot_id, host->registry->boot_id))
		return end_after_reboot(host, lease, err);
	if (lease->state != LEASE_RECLAIMING && !holder->until_us)
		r = process_open(holder->process.pid,
				 holder->process.start_ticks, &pidfd, err);
	if (r == 0)
		return adopt(host, lease, pidfd, err);
	str_copy(name, sizeof(name), lease->name);
	lease_free(lease);
	/* Only of one that has ended for sure may the devices be taken. */
	return r == -ESRCH ? watch_later(host, name, lease_reclaim) : r;
}

/* --- remembered devices --- */

/**
 * forget_device() - It is not ours any more: it went to a driver without us, or
 *		     another one is in its slot
 * @name:	The device
 *
 * Return: 0 or -errno.
 */
static int forget_device(struct host *host, const char *name,
			 struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	_cleanup_strv_ struct strv one = STRV_NULL;
	const struct commit commit = { .draft = &draft };
	struct device_record *record;
	int r;

	if (strv_add(&one, name) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	r = draft_open(host, &one, &draft, err);
	if (r < 0)
		return r;
	record = &draft.copies[0].record;
	record->prepared = false;
	record->trouble = TROUBLE_NONE;
	record->reason[0] = '\0';
	record->remedy[0] = '\0';
	draft_capabilities(&draft, 0, NULL);
	log_notice("%s: with driver %s now, left alone", name,
		   draft.copies[0].facts.driver[0] ?
			   draft.copies[0].facts.driver : "none");
	return commit_write(host, &commit, err);
}

/**
 * prepare_again() - Prepare a remembered device as it was prepared before
 * @device:	A copy of it
 */
static void prepare_again(struct host *host, const struct device *device)
{
	const struct caller self = {
		.process = { .pid = getpid() }, .pidfd = -1,
		.principal = "ioasidd", .ceiling = ROLE_ADMIN,
	};
	const struct change change = {
		.name = device->name, .request_id = "", .etag = "",
		.fingerprint = "",
	};
	const struct prepare_options options = {
		.driver = device->record.vfio_driver,
		.allow_no_reset = device->record.no_reset,
		.allow_unsafe_interrupts = device->record.unsafe_interrupts,
		.allow_no_iommu = device->record.no_iommu,
	};
	struct error err = ERROR_NULL;
	char op[NAME_SIZE];

	/* -EBUSY: a sibling's turn has come first, and took this one too. */
	if (prepare_start(host, &self, &change, &options, op, &err) < 0 &&
	    err.kind != ERROR_DEVICE_BUSY)
		log_problem(LOG_LEVEL_WARNING, &err,
			    "%s: cannot be prepared again", device->name);
}

/**
 * resume_device() - Is a remembered device still ours, and is it ready?
 * @device:	A copy of it
 *
 * Return: 0 or -errno.
 */
static int resume_device(struct host *host, const struct device *device,
			 struct error *err)
{
	const struct device_record *record = &device->record;
	const struct kernel_device *facts = &device->facts;

	if (!device->recorded || device->operation[0] || !facts->bdf[0])
		return 0;
	if (!device_same(facts, record))
		return record->prepared || record->trouble != TROUBLE_NONE ?
			forget_device(host, device->name, err) : 0;
	if (!record->prepared || device->lease[0] ||
	    record->trouble != TROUBLE_NONE || device->caps)
		return 0;
	if (facts->driver[0] && !str_eq(facts->driver, record->vfio_driver))
		return forget_device(host, device->name, err);
	prepare_again(host, device);
	return 0;
}

/**
 * resume_operations() - Have every operation ended that an earlier life began
 */
static int resume_operations(struct host *host, struct error *err)
{
	struct registry *reg = host->registry;
	_cleanup_free_ struct operation **running = NULL;
	size_t i, n = 0;
	int r = 0;

	/* Running ones are not forgotten, so the pointers stay good. */
	registry_lock(reg);
	running = calloc(reg->n_operations + 1, sizeof(*running));
	for (i = 0; running && i < reg->n_operations; i++)
		if (reg->operations[i]->state == OPERATION_RUNNING)
			running[n++] = reg->operations[i];
	registry_unlock(reg);
	if (!running)
		return -ENOMEM;
	for (i = 0; i < n && r == 0; i++)
		r = resume_operation(host, running[i], err);
	return r;
}

/**
 * resume_leases() - See what has become of every lease's holder
 */
static int resume_leases(struct host *host, struct error *err)
{
	struct registry *reg = host->registry;
	struct lease *copy;
	size_t i;
	int r = 0;

	for (i = 0; r == 0; i++) {
		registry_lock(reg);
		copy = i < reg->n_leases ? lease_copy(reg->leases[i]) : NULL;
		r = i < reg->n_leases && !copy ? -ENOMEM : 0;
		registry_unlock(reg);
		if (!copy)
			break;
		r = resume_lease(host, copy, err);
	}
	return r;
}

/**
 * resume_devices() - See whether every remembered device is still ours
 */
static int resume_devices(struct host *host, struct error *err)
{
	struct registry *reg = host->registry;
	struct device copy;
	bool there = true;
	size_t i;
	int r = 0;

	for (i = 0; r == 0; i++) {
		registry_lock(reg);
		there = i < reg->n_devices;
		if (there)
			copy = *reg->devices[i];
		registry_unlock(reg);
		if (!there)
			break;
		r = resume_device(host, &copy, err);
	}
	return r;
}

/**
 * startup_resume() - See startup.h
 *
 * No client is served yet. Workers that are at work already may drop an object
 * from a list, so that one is looked at twice or, of those that have ended or
 * are of no interest, not at all.
 */
int startup_resume(struct host *host, struct error *err)
{
	/* Before anybody is served: what is seen from here on, and was not in
	 * the life before, has revisions that were not given in it.
	 */
	const struct commit only_the_ceiling = { .op = NULL };
	int r;

	r = commit_write(host, &only_the_ceiling, err);
	if (r == 0)
		r = resume_operations(host, err);
	if (r == 0)
		r = resume_leases(host, err);
	/* If not, it may be of leases that were not looked at. */
	if (r == 0)
		parked_drop(host->parked);
	host->parked = parked_free(host->parked);
	if (r == 0)
		r = resume_devices(host, err);
	if (r == -ENOMEM)
		error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	return r;
}
