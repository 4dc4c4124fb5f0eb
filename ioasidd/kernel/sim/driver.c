/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.c - drivers of the simulated machine: bind, unbind, come and go
 *
 * As the driver core of Linux 7.3 does it (drivers/base/dd.c, bus.c). What
 * surprises there, and is so here:
 *
 * The link "driver" goes as the first thing when a driver is taken off, and a
 * VFIO device with its cdev right after; then the driver's remove waits, with
 * the device's lock, until the last descriptor is closed. So a device that is
 * being unbound looks like one without driver, and unbind of that is done.
 *
 * A driver that is found and does not want the device is no failure of
 * drivers_probe: the device stays without. What fails before the driver is
 * asked, because the group belongs to a context, is EINVAL there, whatever the
 * reason was.
 *
 * driver_override takes no device lock (7.3; older kernels take it).
 */
#include "kernel/sim/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "kernel/sim/function.h"
#include "kernel/sim/rule.h"

/* Of the cdevs; Linux takes the first free one from 511 down. */
#define CDEV_MAJOR 511

/* sim_call_new() - A number for a call that takes a device's lock */
uint64_t sim_call_new(struct sim *sim)
{
	return ++sim->next_call;
}

/* driver_is_vfio() - Is it one of the VFIO drivers in this kernel? */
bool driver_is_vfio(const struct sim *sim, const char *driver)
{
	for (size_t i = 0; i < sim->n_vfio_drivers; i++)
		if (str_eq(sim->vfio_drivers[i], driver))
			return true;

	return false;
}

/* driver_announce() - The kernel says that something happened */
void driver_announce(struct sim *sim, const char *action,
		     const char *subsystem, const char *bdf)
{
	struct kernel_uevent event = { .rescan = false };

	if (!sim->announce || !sim_rule(SIM_RULE_UEVENTS))
		return;
	(void)str_copy(event.action, sizeof(event.action), action);
	(void)str_copy(event.subsystem, sizeof(event.subsystem), subsystem);
	(void)str_copy(event.bdf, sizeof(event.bdf), bdf);
	sim->announce(sim->announce_data, &event);
}

/* driver_lock() - Take a function's device lock */
int driver_lock(struct sim *sim, struct sim_device *device, uint64_t call)
{
	while (device->present && device->lock_owner)
		(void)sim_wait(sim, 0);
	if (!device->present)
		return -ENODEV;
	device->lock_owner = call;

	return 0;
}

/* driver_unlock() - Let go of it, if @call has it */
void driver_unlock(struct sim *sim, struct sim_device *device, uint64_t call)
{
	if (device->lock_owner != call)
		return;
	device->lock_owner = 0;
	sim_changed(sim);
}

/* --- probe --- */

/**
 * is_driver() - Is there a driver of that name that would take this function?
 *
 * A driver of other hardware, named by driver_override, is found and does not
 * want it, which comes to the same.
 */
static bool is_driver(const struct sim *sim, const struct sim_device *device,
		      const char *driver)
{
	for (size_t i = 0; i < sim->n_generic_drivers; i++)
		if (str_eq(sim->generic_drivers[i], driver))
			return true;

	return driver_is_vfio(sim, driver) ||
	       (driver[0] && str_eq(device->host_driver, driver));
}

/**
 * match() - Which driver is the function's?
 *
 * Return: its name; NULL for none.
 */
static const char *match(const struct sim *sim, const struct sim_device *device)
{
	const char *own = device->host_driver[0] ? device->host_driver : NULL;

	if (!device->override[0] || !sim_rule(SIM_RULE_OVERRIDE_DECIDES))
		return own;
	if (is_driver(sim, device, device->override))
		return device->override;

	return sim_rule(SIM_RULE_UNKNOWN_OVERRIDE_IS_NONE) ? NULL : own;
}

/**
 * vfio_accepts() - Does a VFIO driver want the function?
 *
 * Source: vfio_pci_core_register_device() of Linux 7.3.
 *
 * Return: 0; -EINVAL: a bridge, or no IOMMU group; -EBUSY: a PF that has VFs;
 * what the description says.
 */
static int vfio_accepts(const struct sim *sim, const struct sim_device *device)
{
	if (device->facts.bridge && sim_rule(SIM_RULE_VFIO_TAKES_NO_BRIDGE))
		return -EINVAL;
	if (device->facts.sriov_num && sim_rule(SIM_RULE_VFIO_TAKES_NO_PF))
		return -EBUSY;
	if (!device->group && !no_iommu_accepts(sim) &&
	    sim_rule(SIM_RULE_VFIO_NEEDS_GROUP))
		return -EINVAL;
	if (device->probe_error && sim_rule(SIM_RULE_PROBE_CAN_FAIL))
		return -device->probe_error;

	return 0;
}

/**
 * take_minor() - The lowest number that no VFIO device has
 *
 * There are as many numbers as there can be devices.
 */
static unsigned int take_minor(struct sim *sim)
{
	unsigned int number = 0;

	while (sim->minors[number / 8] >> number % 8 & 1)
		number++;
	sim->minors[number / 8] |= (uint8_t)(1 << number % 8);

	return number;
}

/**
 * register_vfio() - Register a function with VFIO, and its cdev
 *
 * A kernel without iommufd has no cdevs.
 */
static void register_vfio(struct sim *sim, struct sim_device *device)
{
	struct kernel_device *facts = &device->facts;

	facts->vfio = true;
	if (sim->info.iommufd || !sim_rule(SIM_RULE_CDEV_NEEDS_IOMMUFD)) {
		unsigned int number = take_minor(sim);

		facts->cdev = makedev(CDEV_MAJOR, number);
		(void)str_format(facts->cdev_name, sizeof(facts->cdev_name),
				 "%svfio%u", sim_no_iommu(device) ?
				 "noiommu-" : "", number);
	}
	driver_announce(sim, "add", "vfio-dev", facts->bdf);
}

/**
 * unregister_vfio() - Take a function's VFIO device and cdev out of sysfs
 *
 * Its number is free once nobody has it any more: free_minor().
 */
static void unregister_vfio(struct sim *sim, struct sim_device *device)
{
	device->facts.vfio = false;
	device->facts.cdev = 0;
	device->facts.cdev_name[0] = '\0';
	driver_announce(sim, "remove", "vfio-dev", device->facts.bdf);
}

/**
 * free_minor() - The number of a cdev can be used again
 * @cdev:	What it was; 0 for none
 */
static void free_minor(struct sim *sim, dev_t cdev)
{
	if (cdev)
		sim->minors[minor(cdev) / 8] &=
			(uint8_t)~(1 << minor(cdev) % 8);
}

/**
 * is_owned() - Would a driver do DMA of the host's in a context's group?
 *
 * Ports and pci-stub do none (driver_managed_dma in Linux), VFIO none of the
 * host's.
 */
static bool is_owned(const struct sim *sim, const struct sim_device *device,
		     const char *driver)
{
	return device->group && device->group->n_bound &&
	       !driver_is_vfio(sim, driver) && !str_eq(driver, "pcieport") &&
	       !str_eq(driver, "pci-stub");
}

/**
 * attach() - Find a driver and let it probe
 * @settle:	The machine is about to start: nothing takes time
 *
 * Return: 0; -EBUSY: the group belongs to somebody else; -ENODEV: the driver
 * that was found does not want it.
 */
static int attach(struct sim *sim, struct sim_device *device, bool settle)
{
	struct kernel_device *facts = &device->facts;
	const char *driver = match(sim, device);
	bool vfio = driver && driver_is_vfio(sim, driver);

	if (!driver)
		return 0;
	if (is_owned(sim, device, driver) &&
	    sim_rule(SIM_RULE_OWNED_GROUP_TAKES_NO_HOST_DRIVER))
		return -EBUSY;

	/* The link is there while the driver's probe runs. */
	(void)str_copy(facts->driver, sizeof(facts->driver), driver);
	if (!settle)
		sim_delay(sim, device->bind_ms);
	if (vfio && (vfio_accepts(sim, device) < 0 ||
		     no_iommu_join(sim, device) < 0)) {
		facts->driver[0] = '\0';
		return -ENODEV;
	}
	if (vfio)
		register_vfio(sim, device);
	driver_announce(sim, "bind", "pci", facts->bdf);

	return 0;
}

/* driver_attach() - Find a driver and let it probe */
int driver_attach(struct sim *sim, struct sim_device *device)
{
	int r;

	if (device->facts.driver[0] &&
	    sim_rule(SIM_RULE_PROBE_OF_BOUND_IS_DONE))
		return 0;
	r = attach(sim, device, false);

	return r == -ENODEV ? 0 : r;
}

/* driver_settle() - Bind what would be bound when a machine has started */
int driver_settle(struct sim *sim, struct sim_device *device)
{
	return attach(sim, device, true);
}

/* sim_probe() - Let the kernel find a driver */
int sim_probe(struct sim *sim, const char *bdf, uint64_t call)
{
	struct sim_device *device = sim_device(sim, bdf);
	int r;

	if (!device)
		return -ENODEV;
	r = driver_lock(sim, device, call);
	if (r < 0)
		return r;
	r = driver_attach(sim, device);
	driver_unlock(sim, device, call);

	return r < 0 ? -EINVAL : 0;
}

/* --- unbind --- */

/**
 * wait_for_files() - Wait until nobody has the function's cdev open
 */
static void wait_for_files(struct sim *sim, struct sim_device *device)
{
	/* Without the lock somebody could BIND meanwhile. */
	if (!sim_rule(SIM_RULE_UNBIND_HOLDS_LOCK))
		device->lock_owner = 0;
	while (device->n_files && sim_rule(SIM_RULE_UNBIND_WAITS_FOR_CLOSE))
		(void)sim_wait(sim, 0);
}

/* driver_release() - Take the driver off */
void driver_release(struct sim *sim, struct sim_device *device)
{
	struct kernel_device *facts = &device->facts;
	bool vfio = facts->vfio;
	bool early = sim_rule(SIM_RULE_UNBIND_TAKES_CDEV_FIRST);
	dev_t cdev = facts->cdev;

	if (!facts->driver[0])
		return;

	if (early)
		facts->driver[0] = '\0';
	if (vfio && early)
		unregister_vfio(sim, device);
	if (vfio)
		wait_for_files(sim, device);
	sim_delay(sim, device->unbind_ms);
	/* Network drivers, whose VFs most are, let them go here. */
	if (!vfio && sim_rule(SIM_RULE_UNBIND_OF_PF_ENDS_VFS))
		sriov_disable(sim, device);
	if (vfio && !early)
		unregister_vfio(sim, device);
	free_minor(sim, cdev);
	no_iommu_leave(sim, device);
	facts->driver[0] = '\0';
	driver_announce(sim, "unbind", "pci", facts->bdf);
}

/* sim_unbind() - Take the driver off */
int sim_unbind(struct sim *sim, const char *bdf, uint64_t call)
{
	struct sim_device *device = sim_device(sim, bdf);
	int r;

	if (!device)
		return -ENODEV;
	/* There is no link by which to write to the driver's "unbind". */
	if (!device->facts.driver[0])
		return sim_rule(SIM_RULE_UNBIND_WITHOUT_DRIVER_IS_DONE) ?
			0 : -ENODEV;
	r = driver_lock(sim, device, call);
	if (r < 0)
		return r;
	driver_release(sim, device);
	driver_unlock(sim, device, call);

	return 0;
}

/* --- driver_override --- */

/* sim_get_override() - Read driver_override */
int sim_get_override(struct sim *sim, const char *bdf, uint64_t call,
		     char ret[DRIVER_SIZE])
{
	struct sim_device *device = sim_device(sim, bdf);

	if (!device)
		return -ENODEV;

	(void)str_copy(ret, DRIVER_SIZE, device->override);
	return 0;
}

/* sim_set_override() - Write driver_override */
int sim_set_override(struct sim *sim, const char *bdf, const char *driver,
		     uint64_t call)
{
	struct sim_device *device = sim_device(sim, bdf);

	if (!device)
		return -ENODEV;
	if (strlen(driver) >= DRIVER_SIZE || strpbrk(driver, "/\n"))
		return -EINVAL;

	if (driver[0] || sim_rule(SIM_RULE_OVERRIDE_CAN_BE_CLEARED))
		(void)str_copy(device->override, sizeof(device->override),
			       driver);
	return 0;
}

/* --- configuration --- */

/**
 * mend() - See that a function answers and has its BARs
 *
 * Return: 0; -ENOMEM; -EIO.
 */
static int mend(struct sim_device *device, bool *ret_mended)
{
	struct sim_function *f = function_get(device);
	bool lost;
	int r;

	if (!f)
		return -ENOMEM;
	if (!function_answers(f) && sim_rule(SIM_RULE_ALL_ONES_IS_EIO))
		return -EIO;
	lost = function_bars_lost(device) &&
	       sim_rule(SIM_RULE_LOST_BARS_ARE_WRITTEN);
	r = lost ? function_write_bars(device) : 0;
	if (r < 0)
		return r;

	*ret_mended = lost;
	return 0;
}

/**
 * sim_mend_config() - See that a function answers and has its BARs
 *
 * The file "config" of sysfs takes no device lock.
 */
int sim_mend_config(struct sim *sim, const char *bdf, uint64_t call,
		    bool *ret_mended)
{
	struct sim_device *device = sim_device(sim, bdf);

	return device ? mend(device, ret_mended) : -ENODEV;
}

/* --- coming and going --- */

/* driver_come() - A function appears on its bus */
void driver_come(struct sim *sim, struct sim_device *device)
{
	uint64_t call = sim_call_new(sim);

	/* It is a new one to the kernel: nothing of the old one is known. */
	device->bus_dead = false;
	if (!device->bound)
		device->function = function_free(device->function);
	if (sim_rule(SIM_RULE_NEW_FUNCTION_HAS_NO_OVERRIDE))
		device->override[0] = '\0';
	device->present = true;
	driver_announce(sim, "add", "pci", device->facts.bdf);
	if (device->facts.physfn[0])
		driver_announce(sim, "change", "pci", device->facts.bdf);
	if (driver_lock(sim, device, call) < 0)
		return;
	(void)driver_attach(sim, device);
	driver_unlock(sim, device, call);
}

/* driver_go() - A function goes from its bus */
void driver_go(struct sim *sim, struct sim_device *device)
{
	driver_release(sim, device);
	/* Also those that a PF had without a driver. */
	sriov_disable(sim, device);
	device->present = false;
	driver_announce(sim, "remove", "pci", device->facts.bdf);
	sim_changed(sim);
}

/**
 * sim_remove() - The card is pulled
 *
 * It answers ones from the first moment on. The kernel takes its driver off
 * before it forgets it, and so waits for the last close of its cdev.
 */
int sim_remove(struct sim *sim, const char *bdf)
{
	struct sim_device *device = sim_device(sim, bdf);
	uint64_t call = sim_call_new(sim);
	int r;

	if (!device)
		return -ENODEV;
	device->bus_dead = true;
	r = driver_lock(sim, device, call);
	if (r < 0)
		return r;
	driver_go(sim, device);
	driver_unlock(sim, device, call);

	return 0;
}

/* sim_add() - One that was pulled is put in again */
int sim_add(struct sim *sim, const char *bdf)
{
	struct sim_device *device = sim_device_known(sim, bdf);
	struct sim_device *pf = NULL;

	if (!device)
		return -ENODEV;
	if (device->present)
		return -EEXIST;
	if (device->facts.physfn[0]) {
		pf = sim_device(sim, device->facts.physfn);
		if (!pf || device->vf_of >= pf->facts.sriov_num)
			return -ENODEV;
	}
	driver_come(sim, device);

	return 0;
}
