/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c - the living picture: its objects; see the theory of operation in
 * registry.h
 */
#include <errno.h>
#include <string.h>

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

	if (i < reg->n_devices && !strcmp(reg->devices[i]->name, name))
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
 * registry_no_iommu() - See registry.h
 */
bool registry_no_iommu(struct registry *reg, const char *name)
{
	const struct device *device = registry_device(reg, name);

	return device && device->recorded && device->record.no_iommu;
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

	/* What was seen last may be of the middle of an operation. */
	if (device->caps && !reg->unread &&
	    (!device->facts.vfio || device->caps->backend != reg->backend ||
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
 * registry_lease_of_space() - See registry.h
 */
struct lease *registry_lease_of_space(struct registry *reg, const char *name)
{
	for (size_t i = reg->n_leases; i-- > 0;)
		if (lease_space(reg->leases[i], name))
			return reg->leases[i];
	return NULL;
}

/**
 * registry_lease_of_table() - See registry.h
 */
struct lease *registry_lease_of_table(struct registry *reg, const char *name)
{
	for (size_t i = reg->n_leases; i-- > 0;)
		if (lease_table(reg->leases[i], name))
			return reg->leases[i];
	return NULL;
}

/**
 * struct ended - What has ended, of one collection
 * @n:		How many that nobody may ask for again
 * @oldest:	Of these
 * @n_asked:	How many that somebody may
 * @oldest_asked: Of those
 */
struct ended {
	size_t n, oldest;
	size_t n_asked, oldest_asked;
};

/**
 * count_ended() - One more has ended; from the newest to the oldest
 * @ended:	Those that are newer
 * @i:		Which it is
 * @asked_us:	When it was asked for
 * @request_id:	Of the request; empty for none
 */
static void count_ended(struct ended *ended, size_t i, uint64_t asked_us,
			const char *request_id, uint64_t now_us)
{
	if (*request_id && asked_us + REGISTRY_REMEMBER_US > now_us) {
		ended->n_asked++;
		ended->oldest_asked = i;
	} else {
		ended->n++;
		ended->oldest = i;
	}
}

/**
 * beyond() - Which one is beyond the history?
 * @ended:	What has ended
 *
 * Return: which; SIZE_MAX for none.
 */
static size_t beyond(const struct registry *reg, const struct ended *ended)
{
	if (ended->n > reg->history)
		return ended->oldest;
	if (ended->n_asked > REGISTRY_REMEMBER_FACTOR * reg->history)
		return ended->oldest_asked;
	return SIZE_MAX;
}

/**
 * pop_lease() - Take out a lease that is beyond the history
 *
 * Return: the lease; NULL for none.
 */
static struct lease *pop_lease(struct registry *reg, uint64_t now_us)
{
	struct ended ended = { 0 };
	struct lease *lease;
	size_t i;

	for (i = reg->n_leases; i-- > 0;) {
		lease = reg->leases[i];
		if (lease->state == LEASE_ENDED)
			count_ended(&ended, i, lease->created_us,
				    lease->request_id, now_us);
	}
	i = beyond(reg, &ended);
	if (i == SIZE_MAX)
		return NULL;
	lease = reg->leases[i];
	registry_changed_lease(reg, lease, 0);
	memmove(reg->leases + i, reg->leases + i + 1,
		(--reg->n_leases - i) * sizeof(*reg->leases));
	return lease;
}

/**
 * pop_operation() - Take out an operation that is beyond the history
 *
 * Return: the operation; NULL for none.
 */
static struct operation *pop_operation(struct registry *reg, uint64_t now_us)
{
	struct ended ended = { 0 };
	struct operation *op;
	size_t i;

	for (i = reg->n_operations; i-- > 0;) {
		op = reg->operations[i];
		if (op->state != OPERATION_RUNNING)
			count_ended(&ended, i, op->created_us, op->request_id,
				    now_us);
	}
	i = beyond(reg, &ended);
	if (i == SIZE_MAX)
		return NULL;
	op = reg->operations[i];
	registry_changed_operation(reg, op, 0);
	memmove(reg->operations + i, reg->operations + i + 1,
		(--reg->n_operations - i) * sizeof(*reg->operations));
	return op;
}

/**
 * registry_pop_ended() - See registry.h
 */
void registry_pop_ended(struct registry *reg, uint64_t now_us,
			struct lease **ret_lease, struct operation **ret_op)
{
	*ret_lease = pop_lease(reg, now_us);
	*ret_op = pop_operation(reg, now_us);
}
