/* SPDX-License-Identifier: Apache-2.0
 *
 * group.c - a claimed group and the way back to its drivers
 */
#include <errno.h>

#include "ops/driver.h"
#include "ops/group.h"

/**
 * group_claim() - See group.h
 */
int group_claim(struct host *host, const struct operation *op,
		struct strv *ret, struct error *err)
{
	struct registry *reg = host->registry;
	_cleanup_strv_ struct strv one = STRV_NULL;
	struct device *device;
	int r;

	if (strv_add(&one, op->target) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	registry_lock(reg);
	device = registry_device(reg, op->target);
	if (device)
		r = device_check_endpoint(device,
					  registry_group_of(reg, device), err);
	else
		r = error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
			      "there is no device '%s'", op->target);
	if (r == 0)
		r = registry_claim(reg, &one, op->name, ret, err);
	registry_unlock(reg);
	if (r < 0)
		error_object(err, "%s", op->target);
	return r;
}

/**
 * group_check_etag() - See group.h
 */
int group_check_etag(struct host *host, const char *name, const char *etag,
		     struct error *err)
{
	const struct device *device;
	char now[24];
	int r = 0;

	if (!etag[0])
		return 0;
	registry_lock(host->registry);
	device = registry_device(host->registry, name);
	if (device)
		etag_of(device->revision, now);
	if (!device || !str_eq(now, etag)) {
		r = error_set(err, -ESTALE, ERROR_REQUEST_ETAG_MISMATCH,
			      "%s has changed since etag '%s'", name, etag);
		error_object(err, "%s", name);
	}
	registry_unlock(host->registry);
	return r;
}

/**
 * record_trouble() - See group.h
 */
void record_trouble(struct device *device, const struct error *why,
		    const char *remedy)
{
	struct device_record *record = &device->record;

	if (record->trouble != TROUBLE_NONE)
		return;
	/* Of a prepare that was cut off there is no record yet. */
	device_identify(&device->facts, record);
	record->trouble = TROUBLE_QUARANTINED;
	str_copy(record->reason, sizeof(record->reason), why->msg);
	str_format(record->remedy, sizeof(record->remedy),
		   "%s, then `ioasidctl device recover %s`", remedy,
		   device->facts.bdf);
}

/**
 * forget_preparation() - Say in the record that the device is the host's
 * @record:	The record
 */
static void forget_preparation(struct device_record *record)
{
	record->prepared = false;
	record->no_reset = false;
	record->unsafe_interrupts = false;
	record->no_iommu = false;
	record->vfio_driver[0] = '\0';
	record->former_driver[0] = '\0';
	record->former_override[0] = '\0';
}

/**
 * group_give_back() - See group.h
 */
int group_give_back(struct host *host, struct operation *op,
		    struct device *device, struct error *err)
{
	struct device_record *record = &device->record;
	int r;

	r = driver_switch(host, op, device, record->former_driver,
			  record->former_override, err);
	if (r == 0)
		forget_preparation(record);
	else
		/* Recovering it is to give it back, as its siblings were. */
		record->prepared = false;
	return r;
}

/**
 * is_as_before() - Is there nothing to undo?
 * @device:	As it is now
 * @undo:	What it was
 *
 * What could not be changed cannot be changed back either, and need not be.
 */
static bool is_as_before(struct host *host, const struct device *device,
			 const struct undo *undo)
{
	char override[DRIVER_SIZE];
	struct kernel_stuck stuck;

	return str_eq(device->facts.driver, undo->driver) &&
	       host->kernel->ops->get_override(host->kernel, device->facts.bdf,
					       HELPER_TIMEOUT_MS, override,
					       &stuck, NULL) == 0 &&
	       str_eq(override, undo->override);
}

/**
 * find_copy() - The draft's copy of a device
 * @draft:	The draft
 * @name:	The device's name
 *
 * Return: the copy; NULL if the draft does not have it.
 */
static struct device *find_copy(struct draft *draft, const char *name)
{
	size_t i;

	for (i = 0; i < draft->n; i++)
		if (str_eq(draft->copies[i].name, name))
			return &draft->copies[i];
	return NULL;
}

/**
 * group_rollback() - See group.h
 */
int group_rollback(struct host *host, struct operation *op,
		   struct draft *draft, struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = 0;
	size_t i;

	for (i = op->n_undo; i-- > 0;) {
		const struct undo *undo = &op->undo[i];
		struct device *device = find_copy(draft, undo->device);

		if (!device)
			continue;
		if (device->record.trouble == TROUBLE_STUCK) {
			/* Recovering it is to give it back, once it can be. */
			device->record.prepared = false;
			continue;
		}
		r = host->kernel->ops->device(host->kernel, device->facts.bdf,
					      &device->facts, &each);
		/* Gone meanwhile: there is nothing to put back. */
		if (r == -ENODEV)
			continue;
		if (r == 0 && is_as_before(host, device, undo)) {
			forget_preparation(&device->record);
			continue;
		}
		str_copy(device->record.former_driver, DRIVER_SIZE,
			 undo->driver);
		str_copy(device->record.former_override, DRIVER_SIZE,
			 undo->override);
		if (r == 0)
			r = group_give_back(host, op, device, &each);
		else
			device->record.prepared = false;
		if (r == 0)
			continue;
		record_trouble(device, &each, "see why its driver refuses it");
		if (first == 0) {
			first = r;
			if (err)
				*err = each;
		}
	}
	return first;
}
