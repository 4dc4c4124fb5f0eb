/* SPDX-License-Identifier: Apache-2.0
 *
 * claims.c - making devices an operation's own, and letting go of them
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "model/registry-private.h"

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
