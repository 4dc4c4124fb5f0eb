/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c - the living picture; see the theory of operation in registry.h
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "model/registry-private.h"

/**
 * registry_new() - Make an empty registry
 * @boot_id:	This boot
 * @ret:	Ends with registry_free()
 *
 * Return: 0 or -ENOMEM.
 */
int registry_new(const char *boot_id, struct registry **ret)
{
	struct registry *reg = calloc(1, sizeof(*reg));
	pthread_condattr_t monotonic;

	if (!reg)
		return -ENOMEM;
	pthread_mutex_init(&reg->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&reg->unclaimed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	str_copy(reg->boot_id, sizeof(reg->boot_id), boot_id);
	reg->history = REGISTRY_HISTORY;
	*ret = reg;
	return 0;
}

/* device_free() - See registry-private.h */
void device_free(struct device *device)
{
	device_caps_free(device);
	free(device);
}

/* groups_free() - See registry-private.h */
void groups_free(struct group *groups, size_t n)
{
	size_t i;

	for (i = 0; groups && i < n; i++)
		group_deinit(&groups[i]);
	free(groups);
}

/**
 * registry_free() - Free all
 * @reg:	NULL is allowed; nobody else uses it
 *
 * Return: NULL.
 */
struct registry *registry_free(struct registry *reg)
{
	size_t i;

	if (!reg)
		return NULL;
	groups_free(reg->groups, reg->n_groups);
	for (i = 0; i < reg->n_devices; i++)
		device_free(reg->devices[i]);
	for (i = 0; i < reg->n_leases; i++)
		lease_free(reg->leases[i]);
	for (i = 0; i < reg->n_operations; i++)
		operation_free(reg->operations[i]);
	changes_deinit(&reg->changes);
	free(reg->devices);
	free(reg->leases);
	free(reg->operations);
	free(reg->iommus);
	pthread_cond_destroy(&reg->unclaimed);
	pthread_mutex_destroy(&reg->lock);
	free(reg);
	return NULL;
}

/**
 * registry_lock() - Take the lock
 * @reg:	The registry
 */
void registry_lock(struct registry *reg)
{
	pthread_mutex_lock(&reg->lock);
}

/**
 * registry_unlock() - Give the lock back
 * @reg:	The registry
 */
void registry_unlock(struct registry *reg)
{
	registry_enter_all(reg);
	pthread_mutex_unlock(&reg->lock);
}

/* --- looking up --- */

/**
 * device_position() - Where a device is, or would be
 * @reg:	The registry
 * @name:	Its name
 *
 * Return: the index of the first device whose name is not less.
 */
static size_t device_position(const struct registry *reg, const char *name)
{
	size_t low = 0, high = reg->n_devices;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(reg->devices[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * registry_device() - See registry.h
 */
struct device *registry_device(struct registry *reg, const char *name)
{
	size_t i = device_position(reg, name);

	if (i < reg->n_devices && str_eq(reg->devices[i]->name, name))
		return reg->devices[i];
	return NULL;
}

/**
 * registry_group() - See registry.h
 */
struct group *registry_group(struct registry *reg, const char *name)
{
	size_t low = 0, high = reg->n_groups;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(reg->groups[middle].name, name);

		if (order == 0)
			return &reg->groups[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/**
 * group_by_number() - The group with the kernel's number
 * @reg:	The registry
 * @number:	-1 for none
 */
static struct group *group_by_number(struct registry *reg, int number)
{
	size_t i;

	for (i = 0; number >= 0 && i < reg->n_groups; i++)
		if (reg->groups[i].facts.number == number)
			return &reg->groups[i];
	return NULL;
}

/**
 * registry_group_of() - See registry.h
 */
struct group *registry_group_of(struct registry *reg,
				const struct device *device)
{
	if (!device->facts.bdf[0])
		return NULL;
	return group_by_number(reg, device->facts.group);
}

/**
 * registry_lease() - See registry.h
 */
struct lease *registry_lease(struct registry *reg, const char *name)
{
	size_t i;

	for (i = reg->n_leases; i-- > 0;)
		if (str_eq(reg->leases[i]->name, name))
			return reg->leases[i];
	return NULL;
}

/**
 * registry_operation() - See registry.h
 */
struct operation *registry_operation(struct registry *reg, const char *name)
{
	size_t i;

	for (i = reg->n_operations; i-- > 0;)
		if (str_eq(reg->operations[i]->name, name))
			return reg->operations[i];
	return NULL;
}

/* --- devices --- */

/**
 * add_device() - Make a device that is not there yet
 * @reg:	The registry
 * @name:	Its name
 * @ret:	The device, of which nothing is known
 *
 * Return: 0 or -ENOMEM.
 */
static int add_device(struct registry *reg, const char *name,
		      struct device **ret)
{
	size_t at = device_position(reg, name);
	struct device *device, **more;

	more = reallocarray(reg->devices, reg->n_devices + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	reg->devices = more;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;

	str_copy(device->name, sizeof(device->name), name);
	device->state = DEVICE_GONE;
	device->facts.group = -1;
	memmove(more + at + 1, more + at, (reg->n_devices - at) * sizeof(*more));
	more[at] = device;
	reg->n_devices++;
	*ret = device;
	return 0;
}

/**
 * registry_record() - See registry.h
 */
int registry_record(struct registry *reg, const char *name,
		    struct device **ret)
{
	*ret = registry_device(reg, name);
	return *ret ? 0 : add_device(reg, name, ret);
}

/**
 * registry_settle() - See registry.h
 */
void registry_settle(struct registry *reg, struct device *device)
{
	enum device_state state;

	if (device->caps && (!device->facts.vfio ||
			     !str_eq(device->caps->driver, device->facts.driver))) {
		device_caps_free(device);
		registry_changed_device(reg, device, 0);
	}
	state = device_resting_state(device);
	if (state == device->state)
		return;
	device->state = state;
	registry_changed_device(reg, device, 0);
}

/* --- claims --- */

/**
 * claim_one() - Make one device an operation's own
 * @device:	The device
 * @op:		Name of the operation
 * @ret:	Its name is added if it is an endpoint; NULL for not wanted
 *
 * Return: 0; -EBUSY; -ENOMEM.
 */
static int claim_one(struct device *device, const char *op, struct strv *ret,
		     struct error *err)
{
	int r;

	if (str_eq(device->operation, op))
		return 0;
	if (device->operation[0]) {
		/* A change of a lease claims as "<lease>:<its own name>". */
		char other[NAME_SIZE];

		str_copy(other, sizeof(other), device->operation);
		other[strcspn(other, ":")] = '\0';
		r = error_set(err, -EBUSY, ERROR_DEVICE_BUSY,
			      "%s is at work on %s", other, device->name);
		error_cause(err, "operation", other, "is at work on %s",
			    device->name);
		error_object(err, "%s", device->name);
		return r;
	}
	if (ret && !device->facts.bridge && strv_add(ret, device->name) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	str_copy(device->operation, sizeof(device->operation), op);
	device->claimed_at = device->revision;
	return 0;
}

/**
 * claim_group_of() - Make a device and its siblings an operation's own
 * @reg:	The registry
 * @name:	The device's name
 * @op:		Name of the operation
 * @ret:	See claim_one()
 *
 * Return: 0; -EBUSY; -ENODEV; -ENOMEM.
 */
static int claim_group_of(struct registry *reg, const char *name,
			  const char *op, struct strv *ret, struct error *err)
{
	struct device *device = registry_device(reg, name);
	struct group *group;
	size_t i;
	int r;

	if (!device) {
		r = error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
			      "there is no device '%s'", name);
		error_object(err, "%s", name);
		return r;
	}
	group = registry_group_of(reg, device);
	if (!group)
		return claim_one(device, op, ret, err);
	for (i = 0; i < group->n_devices; i++) {
		r = claim_one(group->devices[i], op, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * registry_claim() - See registry.h
 */
int registry_claim(struct registry *reg, const struct strv *devices,
		   const char *op, struct strv *ret, struct error *err)
{
	size_t i, j;
	int r = 0;

	for (i = 0; i < devices->n && r == 0; i++)
		r = claim_group_of(reg, devices->items[i], op, ret, err);
	if (r == 0)
		return 0;
	for (j = 0; j < reg->n_devices; j++)
		if (str_eq(reg->devices[j]->operation, op))
			reg->devices[j]->operation[0] = '\0';
	if (ret)
		strv_deinit(ret);
	return r;
}

/**
 * registry_claim_wait() - See registry.h
 */
int registry_claim_wait(struct registry *reg, const struct strv *devices,
			const char *op, unsigned int timeout_ms,
			struct strv *ret, struct error *err)
{
	uint64_t until = clock_mono_ns() + timeout_ms * UINT64_C(1000000);
	const struct timespec deadline = {
		.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000,
	};
	int r;

	do {
		r = registry_claim(reg, devices, op, ret, err);
		/* To wait is to give the lock back. */
		registry_enter_all(reg);
	} while (r == -EBUSY &&
		 !pthread_cond_timedwait(&reg->unclaimed, &reg->lock,
					 &deadline));
	return r;
}

/**
 * registry_unclaim() - See registry.h
 */
void registry_unclaim(struct registry *reg, const char *op)
{
	size_t i;

	for (i = 0; i < reg->n_devices; i++) {
		struct device *device = reg->devices[i];

		if (!str_eq(device->operation, op))
			continue;
		device->operation[0] = '\0';
		/* Who has only looked has changed nothing: etags stay good. */
		if (device->revision != device->claimed_at)
			registry_changed_device(reg, device, 0);
		registry_settle(reg, device);
	}
	pthread_cond_broadcast(&reg->unclaimed);
}

/* --- leases and operations --- */

/**
 * registry_reserve_lease() - See registry.h
 */
int registry_reserve_lease(struct registry *reg)
{
	size_t room = reg->n_leases + reg->leases_reserved + 1;
	struct lease **more;

	more = reallocarray(reg->leases, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	reg->leases = more;
	reg->leases_reserved++;
	return 0;
}

/**
 * registry_unreserve_lease() - See registry.h
 */
void registry_unreserve_lease(struct registry *reg)
{
	reg->leases_reserved--;
}

/**
 * registry_publish_lease_consume() - See registry.h
 */
void registry_publish_lease_consume(struct registry *reg, struct lease *lease)
{
	uint64_t foreseen = lease->revision;

	reg->leases_reserved--;
	reg->leases[reg->n_leases++] = lease;
	lease->revision = 0;
	registry_changed_lease(reg, lease, foreseen);
}

/**
 * registry_add_lease_consume() - See registry.h
 */
int registry_add_lease_consume(struct registry *reg, struct lease *lease)
{
	int r = registry_reserve_lease(reg);

	if (r < 0) {
		lease_free(lease);
		return r;
	}
	reg->leases_reserved--;
	reg->leases[reg->n_leases++] = lease;
	return 0;
}

/**
 * registry_swap_lease() - See registry.h
 */
void registry_swap_lease(struct registry *reg, struct lease *lease)
{
	struct lease *ours = registry_lease(reg, lease->name);
	struct lease before;
	uint64_t foreseen;

	if (!ours)
		return;
	before = *ours;
	*ours = *lease;
	*lease = before;
	foreseen = ours->revision;
	ours->revision = before.revision;
	registry_changed_lease(reg, ours, foreseen);
}

/**
 * registry_reserve_operation() - See registry.h
 */
int registry_reserve_operation(struct registry *reg)
{
	size_t room = reg->n_operations + reg->operations_reserved + 1;
	struct operation **more;

	more = reallocarray(reg->operations, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	reg->operations = more;
	reg->operations_reserved++;
	return 0;
}

/**
 * registry_unreserve_operation() - See registry.h
 */
void registry_unreserve_operation(struct registry *reg)
{
	reg->operations_reserved--;
}

/**
 * registry_publish_operation_consume() - See registry.h
 */
void registry_publish_operation_consume(struct registry *reg,
					struct operation *op)
{
	uint64_t foreseen = op->revision;

	reg->operations_reserved--;
	reg->operations[reg->n_operations++] = op;
	op->revision = 0;
	registry_changed_operation(reg, op, foreseen);
}

/**
 * registry_add_operation_consume() - See registry.h
 */
int registry_add_operation_consume(struct registry *reg, struct operation *op)
{
	int r = registry_reserve_operation(reg);

	if (r < 0) {
		operation_free(op);
		return r;
	}
	reg->operations_reserved--;
	reg->operations[reg->n_operations++] = op;
	return 0;
}

/**
 * registry_take_operation() - See registry.h
 *
 * Somebody may have asked the one in the registry to stop meanwhile.
 */
void registry_take_operation(struct registry *reg, const struct operation *op)
{
	struct operation *ours = registry_operation(reg, op->name);
	uint64_t foreseen = op->revision, before;
	bool cancelling;

	if (!ours)
		return;
	before = ours == op ? 0 : ours->revision;
	cancelling = ours->cancelling;
	if (ours != op)
		*ours = *op;
	ours->cancelling |= cancelling;
	ours->revision = before;
	registry_changed_operation(reg, ours, foreseen);
}

/**
 * registry_pop_ended() - See registry.h
 */
void registry_pop_ended(struct registry *reg, struct lease **ret_lease,
			struct operation **ret_op)
{
	size_t i, ended = 0, oldest = SIZE_MAX;

	*ret_lease = NULL;
	*ret_op = NULL;
	for (i = reg->n_leases; i-- > 0;)
		if (reg->leases[i]->state == LEASE_ENDED)
			oldest = i, ended++;
	if (ended > reg->history) {
		*ret_lease = reg->leases[oldest];
		registry_changed_lease(reg, *ret_lease, 0);
		memmove(reg->leases + oldest, reg->leases + oldest + 1,
			(--reg->n_leases - oldest) * sizeof(*reg->leases));
	}
	ended = 0;
	for (i = reg->n_operations; i-- > 0;)
		if (reg->operations[i]->state != OPERATION_RUNNING)
			oldest = i, ended++;
	if (ended > reg->history) {
		*ret_op = reg->operations[oldest];
		registry_changed_operation(reg, *ret_op, 0);
		memmove(reg->operations + oldest, reg->operations + oldest + 1,
			(--reg->n_operations - oldest) *
				sizeof(*reg->operations));
	}
}
