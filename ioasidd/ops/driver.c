/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.c - acts of operations that change which driver has a device
 *
 * Always by driver_override and drivers_probe: new_id is not idempotent and
 * takes every other device with the same ids too.
 */
#include <errno.h>
#include <string.h>

#include "ops/driver.h"

/**
 * got_stuck() - Record that a helper had to be left behind
 * @device:	The draft's copy
 * @stuck:	The helper
 * @err:	What the client is told; gets the helper as a cause
 */
static void got_stuck(struct device *device, const struct kernel_stuck *stuck,
		      struct error *err)
{
	struct device_record *record = &device->record;

	device_identify(&device->facts, record);
	record->trouble = TROUBLE_STUCK;
	record->stuck = *stuck;
	str_format(record->reason, sizeof(record->reason),
		   "%s of %s has not come back; helper process %d waits in the kernel",
		   stuck->call, device->facts.bdf, (int)stuck->pid);
	str_format(record->remedy, sizeof(record->remedy),
		   "end what has the device open, then `ioasidctl device recover %s`",
		   device->facts.bdf);
	error_remedy(err, "%s", record->remedy);
}

/**
 * wait_earlier() - Let end what was begun before ioasidd was killed
 *
 * A driver that lets go is not shown in sysfs any more from the beginning of its
 * unbind, which may wait for somebody's descriptor to its end.
 *
 * Return: 0; -ETIMEDOUT: stuck; -errno.
 */
static int wait_earlier(struct host *host, struct operation *op,
			struct device *device, struct error *err)
{
	struct kernel_stuck stuck = { .pid = 0 };
	struct kernel_device facts = { .bdf = "" };
	struct act act;
	int r;

	r = host->kernel->ops->wait_earlier(host->kernel, device->facts.bdf,
					    HELPER_TIMEOUT_MS, &stuck, err);
	if (r == 0)
		return 0;
	if (r > 0)
		r = host->kernel->ops->device(host->kernel, device->facts.bdf,
					      &facts, err);
	if (r == 0)
		device->facts = facts;
	if (r == -ETIMEDOUT)
		got_stuck(device, &stuck, err);
	if (r == 0)
		return 0;
	error_object(err, "%s", device->name);
	if (journal_before(host, op, &act, device->name, "wait", "", NULL) == 0)
		(void)journal_after(host, op, &act, r, err);
	return r;
}

/**
 * act_override() - Set driver_override
 * @driver:	What to; empty for none
 *
 * Return: 0; -ETIMEDOUT: stuck; -errno.
 */
static int act_override(struct host *host, struct operation *op,
			struct device *device, const char *driver,
			struct error *err)
{
	struct kernel_stuck stuck = { .pid = 0 };
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "override",
			   driver[0] ? driver : "none", err);
	if (r < 0)
		return r;
	r = host->kernel->ops->set_override(host->kernel, device->facts.bdf,
					    driver, HELPER_TIMEOUT_MS, &stuck,
					    err);
	if (r == -ETIMEDOUT)
		got_stuck(device, &stuck, err);
	error_object(r < 0 ? err : NULL, "%s", device->name);
	return journal_after(host, op, &act, r, err);
}

/**
 * act_unbind() - Take the driver off
 *
 * Return: 0; -ETIMEDOUT: stuck; -errno.
 */
static int act_unbind(struct host *host, struct operation *op,
		      struct device *device, struct error *err)
{
	struct kernel_stuck stuck = { .pid = 0 };
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "unbind",
			   device->facts.driver, err);
	if (r < 0)
		return r;
	r = host->kernel->ops->unbind(host->kernel, device->facts.bdf,
				      HELPER_TIMEOUT_MS, &stuck, err);
	if (r == -ETIMEDOUT)
		got_stuck(device, &stuck, err);
	error_object(r < 0 ? err : NULL, "%s", device->name);
	return journal_after(host, op, &act, r, err);
}

/**
 * not_taken() - Say that a driver did not take a device, and what would work
 * @facts:	The device as it is now
 * @driver:	The driver
 * @err:	Filled
 *
 * The catalogue's remedy is for vfio-pci, whose module may not be loaded.
 *
 * Return: -ENODEV.
 */
static int not_taken(const struct kernel_device *facts, const char *driver,
		     struct error *err)
{
	error_set(err, -ENODEV, ERROR_DEVICE_NO_DRIVER,
		  "driver %s did not take %s, which has %s now", driver,
		  facts->bdf, facts->driver[0] ? facts->driver : "no driver");
	if (!str_eq(driver, "vfio-pci"))
		error_remedy(err, "see in the kernel's log why %s refuses it, or load the driver's module",
			     driver);
	return -ENODEV;
}

/**
 * act_probe() - Let the kernel bind the driver that driver_override names
 * @driver:	That driver
 *
 * Return: 0; -ETIMEDOUT: stuck; -ENODEV: the driver did not take it; -errno.
 */
static int act_probe(struct host *host, struct operation *op,
		     struct device *device, const char *driver,
		     struct error *err)
{
	struct kernel_device facts = { .bdf = "" };
	struct kernel_stuck stuck = { .pid = 0 };
	struct act act;
	int r;

	r = journal_before(host, op, &act, device->name, "probe", driver, err);
	if (r < 0)
		return r;
	r = host->kernel->ops->probe(host->kernel, device->facts.bdf,
				     HELPER_TIMEOUT_MS, &stuck, err);
	if (r == -ETIMEDOUT)
		got_stuck(device, &stuck, err);
	if (r == 0)
		r = host->kernel->ops->device(host->kernel, device->facts.bdf,
					      &facts, err);
	if (r == 0) {
		device->facts = facts;
		if (!str_eq(facts.driver, driver))
			r = not_taken(&facts, driver, err);
	}
	error_object(r < 0 ? err : NULL, "%s", device->name);
	return journal_after(host, op, &act, r, err);
}

/**
 * rebind() - Unbind if there is a driver, and bind again
 * @driver:	Which; empty for none
 * @override:	What driver_override is to be afterwards
 *
 * Return: as driver_switch().
 */
static int rebind(struct host *host, struct operation *op,
		  struct device *device, const char *driver,
		  const char *override, struct error *err)
{
	const char *now = driver[0] ? driver : override;
	int r;

	/* The override comes first: nobody else's probe must win the race for
	 * the device once it is driverless.
	 */
	r = act_override(host, op, device, now, err);
	if (r == 0 && device->facts.driver[0])
		r = act_unbind(host, op, device, err);
	if (r < 0)
		return r;
	device->facts.driver[0] = '\0';
	device->facts.vfio = false;
	if (driver[0])
		r = act_probe(host, op, device, driver, err);
	if (r == 0 && !str_eq(now, override))
		r = act_override(host, op, device, override, err);
	return r;
}

/**
 * driver_switch() - See driver.h
 */
int driver_switch(struct host *host, struct operation *op,
		  struct device *device, const char *driver,
		  const char *override, struct error *err)
{
	int r;

	r = wait_earlier(host, op, device, err);
	if (r < 0)
		return r;
	if (str_eq(device->facts.driver, driver))
		return act_override(host, op, device, override, err);
	return rebind(host, op, device, driver, override, err);
}

/**
 * driver_reregister() - See driver.h
 */
int driver_reregister(struct host *host, struct operation *op,
		      struct device *device, struct error *err)
{
	char driver[DRIVER_SIZE];
	int r;

	r = wait_earlier(host, op, device, err);
	if (r < 0)
		return r;
	str_copy(driver, sizeof(driver), device->record.vfio_driver);
	return rebind(host, op, device, driver, driver, err);
}
