/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.h - the living picture: every object, under one lock
 *
 * DOC: Theory of Operation
 *
 * One mutex guards all of it. It is held for looking up, copying and publishing
 * and never across a kernel call, a commit or a send. Who wants to change a
 * device first claims it (registry_claim()): its whole group then carries the
 * operation's name, and only that operation changes it until
 * registry_unclaim(). What the claim guards may be read by its owner without
 * copying, but not pointers that a rescan replaces (group->devices).
 *
 * Objects become visible last: kernel step, commit, then here.
 *
 * What has become visible gets its revision by registry_changed_*(), under the
 * lock and in the order of publication; giving the lock back enters it into the
 * log of changes (changes.h has the rule). Revisions of changes that are not
 * durable (hot-plug) must not come back after a restart, so the database keeps
 * a ceiling that no revision given so far has reached: registry_ceiling().
 */
#ifndef IOASIDD_MODEL_REGISTRY_H
#define IOASIDD_MODEL_REGISTRY_H

#include <pthread.h>

#include "model/changes.h"
#include "model/device.h"
#include "model/lease.h"
#include "model/operation.h"
#include "model/quota.h"

/* Ended leases and operations that are kept, each, unless it is said. */
#define REGISTRY_HISTORY 1000

/* Besides, those whose request had an id and may come again: for a day from the
 * asking, so many times as many.
 */
#define REGISTRY_REMEMBER_US (UINT64_C(24) * 3600 * 1000000)
#define REGISTRY_REMEMBER_FACTOR 10

struct registry;

/**
 * struct registry_observer - Who is told of changes; front/
 * @write:	Make the entry of an object that is there: a logged_new() with
 *		its bytes; NULL without memory
 * @entered:	Changes were entered, and somebody wants to know (@wanted, which
 *		is false now)
 * @wanted:	Set by who wants to hear of the next ones
 * @data:	For both
 *
 * All of it under the lock: both are called from any thread, and are short.
 */
struct registry_observer {
	struct logged *(*write)(void *data, struct registry *reg,
				const struct touched *touched,
				const void *object);
	void (*entered)(void *data);
	bool wanted;
	void *data;
};

/**
 * struct registry - All objects; every field is guarded by @lock
 * @lock:	Held only by registry_lock()
 * @unclaimed:	Signalled when an operation lets go of devices
 * @revision:	The newest that was given, or foreseen
 * @shown:	The newest that was given to what can be seen
 * @settled:	@shown when the lock was given back last
 * @changes:	The log; empty without @observer
 * @observer:	Who is told; NULL for nobody
 * @ceiling:	What the database has; @revision stays below
 * @history:	Ended leases and operations that are kept, each; fixed
 * @boot_id:	This boot; never changes
 * @isolated_msi: Of this host, as last scanned
 * @no_iommu_mode: Likewise: VFIO takes devices without an IOMMU
 * @backend:	Likewise
 * @unread:	The machine could not be read when it was tried last: facts may be older
 *		than what operations have done
 * @devices:	By name
 * @groups:	By name
 * @iommus:	By name
 * @leases:	Oldest first
 * @leases_reserved: How many more there is room for, promised to somebody
 * @charges:	What operations are about to take, see quota.h
 * @operations:	Oldest first
 * @operations_reserved: Likewise
 */
struct registry {
	pthread_mutex_t lock;
	pthread_cond_t unclaimed;
	uint64_t revision, shown, settled;
	struct changes changes;
	struct registry_observer *observer;
	uint64_t ceiling;
	size_t history;
	char boot_id[37];
	enum kernel_isolated_msi isolated_msi;
	bool no_iommu_mode;
	enum kernel_backend backend;
	bool unread;
	struct device **devices;
	size_t n_devices;
	struct group *groups;
	size_t n_groups;
	struct iommu *iommus;
	size_t n_iommus;
	struct lease **leases;
	size_t n_leases, leases_reserved;
	struct charge *charges;
	struct operation **operations;
	size_t n_operations, operations_reserved;
};

int registry_new(const char *boot_id, struct registry **ret);
struct registry *registry_free(struct registry *reg);

void registry_lock(struct registry *reg);
void registry_unlock(struct registry *reg);

/* registry_observe() - From now on tell @observer, or nobody if it is NULL, of
 * changes; the log begins anew. Under the lock.
 */
void registry_observe(struct registry *reg, struct registry_observer *observer);

/* registry_foresee() - A revision for what is to be published later, if nothing
 * is published before it.
 */
uint64_t registry_foresee(struct registry *reg);

/**
 * registry_changed_device() - A device is another one now
 * @device:	In the registry; gets a revision, one for all changes under this
 *		lock
 * @foreseen:	Of registry_foresee(); taken if nothing later was published;
 *		0 for none
 */
void registry_changed_device(struct registry *reg, struct device *device,
			     uint64_t foreseen);

/* registry_changed_operation() - Likewise; with it the lease that it reclaims,
 * which shows its steps.
 */
void registry_changed_operation(struct registry *reg, struct operation *op,
				uint64_t foreseen);

/* registry_ceiling() - What is to be written as ceiling with the next commit. */
uint64_t registry_ceiling(const struct registry *reg);

/**
 * registry_scan() - Take over what a scan of the machine found
 * @inv:	The machine; emptied of what is kept
 *
 * A device that is not there any more becomes gone, and is forgotten if there
 * is no record of it. A device that an operation has claimed keeps its state.
 *
 * Return: 1 if something has changed, else 0; -ENOMEM: as before.
 */
int registry_scan(struct registry *reg, struct kernel_inventory *inv);

/* registry_unread() - A scan has failed; there is going to be another one. */
void registry_unread(struct registry *reg);

/* registry_settle() - Put a device in its resting state; a new revision if it
 * is another one. Not while an operation has it.
 */
void registry_settle(struct registry *reg, struct device *device);

/* Look up by resource name; NULL if there is none. */
struct device *registry_device(struct registry *reg, const char *name);
struct group *registry_group(struct registry *reg, const char *name);
struct lease *registry_lease(struct registry *reg, const char *name);
struct operation *registry_operation(struct registry *reg, const char *name);

/* registry_lease_of_space() - The lease that has a space; NULL for none. */
struct lease *registry_lease_of_space(struct registry *reg, const char *name);

/* registry_lease_of_table() - The lease that has a page table; likewise. */
struct lease *registry_lease_of_table(struct registry *reg, const char *name);

/* registry_group_of() - The group a device is in; NULL for none. */
struct group *registry_group_of(struct registry *reg,
				const struct device *device);

/* registry_no_iommu() - Was the device prepared although it has no IOMMU? */
bool registry_no_iommu(struct registry *reg, const char *device);

/**
 * registry_record() - The device that a row of the database is about; made as
 *		       gone if the machine does not have it
 */
int registry_record(struct registry *reg, const char *name,
		    struct device **ret);

/**
 * registry_claim() - Make devices an operation's own
 * @devices:	Which; of each the whole group is taken
 * @op:		Name of the operation
 * @ret:	Names of all endpoints taken, by address within each group;
 *		NULL for not wanted
 *
 * Return: 0; -EBUSY device.busy, naming the operation that has one of them;
 * -ENODEV device.not-found; -ENOMEM. All or none.
 */
int registry_claim(struct registry *reg, const struct strv *devices,
		   const char *op, struct strv *ret, struct error *err);

/**
 * registry_claim_wait() - The same, waiting for other operations to let go
 * @timeout_ms:	How long to wait
 *
 * The registry is unlocked while it waits; look things up again afterwards.
 */
int registry_claim_wait(struct registry *reg, const struct strv *devices,
			const char *op, unsigned int timeout_ms,
			struct strv *ret, struct error *err);

/* registry_unclaim() - Let go of all that @op has, and settle it. */
void registry_unclaim(struct registry *reg, const char *op);

/* Take over what was published in an earlier life; ownership passes. Return: 0
 * or -ENOMEM (then freed).
 */
int registry_add_lease_consume(struct registry *reg, struct lease *lease);
int registry_add_operation_consume(struct registry *reg,
				   struct operation *op);

/* What is made durable first must not fail to become visible afterwards: room
 * for it is reserved before, and used, or given back, after. The revision of
 * what is published is taken as foreseen. Return: 0 or -ENOMEM.
 */
int registry_reserve_lease(struct registry *reg);
void registry_unreserve_lease(struct registry *reg);
void registry_publish_lease_consume(struct registry *reg, struct lease *lease);
int registry_reserve_operation(struct registry *reg);
void registry_unreserve_operation(struct registry *reg);
void registry_publish_operation_consume(struct registry *reg,
					struct operation *op);

/* registry_swap_lease() - Exchange what is in @lease with what the registry has
 * under its name; nothing if it has none. Its revision is taken as foreseen.
 */
void registry_swap_lease(struct registry *reg, struct lease *lease);

/* registry_take_operation() - Take over what @op says of the operation of its
 * name, which may be itself; nothing if the registry has none. Its revision is
 * taken as foreseen.
 */
void registry_take_operation(struct registry *reg, const struct operation *op);

/**
 * registry_pop_ended() - Take out what is beyond the history
 * @now_us:	The time, microseconds since 1970
 * @ret_lease:	Owned by the caller; NULL for none
 * @ret_op:	Owned by the caller; NULL for none
 */
void registry_pop_ended(struct registry *reg, uint64_t now_us,
			struct lease **ret_lease, struct operation **ret_op);

#endif
