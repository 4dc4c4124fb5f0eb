/* SPDX-License-Identifier: Apache-2.0
 *
 * reset.c - resets that VFIO makes: of a function, of a whole bus
 *
 * What stands on a bus is what has the same domain and bus in its address. That
 * a bus can be reset takes a bridge in front of it: bus 0 has none, nor has one
 * with a host bridge on it, nor one that only VFs are on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/function.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/vfio.h"

#define CLASS_HOST_BRIDGE 0x0600

/* A bus has 256 functions at most. */
#define BUS_MAX 256

/* --- a bus --- */

/**
 * struct place - A PCI address in numbers
 */
struct place {
	unsigned int domain, bus, slot, function;
};

/**
 * place_of() - An address in numbers
 */
static struct place place_of(const char *bdf)
{
	struct place p = { 0 };

	(void)sscanf(bdf, "%x:%x:%x.%x", &p.domain, &p.bus, &p.slot,
		     &p.function);

	return p;
}

/**
 * find_bus() - All functions on a device's bus
 * @ret:	Room for BUS_MAX
 *
 * Return: how many, at least 1; -ENODEV: the bus cannot be reset.
 */
static int find_bus(struct sim *sim, struct sim_device *device,
		    struct sim_device **ret)
{
	struct place at = place_of(device->facts.bdf);
	bool bridge = at.bus != 0;
	int n = 0;

	if (device->facts.physfn[0] &&
	    place_of(device->facts.physfn).bus != at.bus)
		bridge = false;
	for (size_t i = 0; i < sim->n_devices && n < BUS_MAX; i++) {
		struct sim_device *other = sim->devices[i];
		struct place p = place_of(other->facts.bdf);

		/* One that was pulled is there until its files are closed. */
		if ((!other->present && other != device) ||
		    p.domain != at.domain || p.bus != at.bus)
			continue;
		if (other->facts.class >> 8 == CLASS_HOST_BRIDGE)
			bridge = false;
		ret[n++] = other;
	}
	if (!bridge && sim_rule(SIM_RULE_ROOT_BUS_HAS_NO_RESET))
		return -ENODEV;

	return n;
}

/* --- one function --- */

/**
 * can_reset() - Is there a way to reset this function and no other?
 *
 * The way "bus" is none where the function is not alone, though it is listed:
 * the kernel asks for it while it scans the bus, before it finds the others.
 * Source: pci_parent_bus_reset() of Linux 7.3.
 */
static bool can_reset(struct sim *sim, struct sim_device *device)
{
	struct sim_device *set[BUS_MAX];

	return !str_eq(device->facts.reset_methods, "bus") ||
	       find_bus(sim, device, set) == 1;
}

/* sim_vfio_try_reset() - Reset a function */
int sim_vfio_try_reset(struct sim *sim, struct sim_device *device)
{
	struct sim_function *f = function_get(device);
	uint64_t call;

	if (!f)
		return -ENOMEM;
	if (!device->facts.reset_methods[0] || !can_reset(sim, device))
		return -ENOTTY;
	if (device->lock_owner && sim_rule(SIM_RULE_LOCKED_IS_EAGAIN))
		return -EAGAIN;
	if (!device->present)
		return -ENODEV;

	call = sim_call_new(sim);
	if (!device->lock_owner)
		device->lock_owner = call;
	sim_delay(sim, device->reset_ms);
	if (device->lock_owner == call)
		device->lock_owner = 0;
	sim_changed(sim);
	if (!device->present)
		return -ENODEV;
	if (device->reset_error)
		return -device->reset_error;
	function_reset(f);

	return 0;
}

/**
 * in_set() - Are two functions of one set, as VFIO counts them?
 *
 * A VF is a set of its own, whatever bus it is on.
 */
static bool in_set(const struct sim_device *device,
		   const struct sim_device *other)
{
	if (device == other)
		return true;

	/* One whose unbind waits is in it until the last close. */
	return (other->facts.vfio || other->n_files) &&
	       !device->facts.physfn[0] && !other->facts.physfn[0];
}

/**
 * owned_id() - What a function on the bus is to who asks
 * @file:	Bound
 *
 * Return: its id in the context; UAPI_PCI_DEVID_OWNED: it is none's, and in a
 * group that is the context's; UAPI_PCI_DEVID_NOT_OWNED.
 */
static uint32_t owned_id(const struct sim_file *file,
			 const struct sim_device *other)
{
	const struct sim_file *bound = other->bound;

	if (!in_set(file->device, other))
		return UAPI_PCI_DEVID_NOT_OWNED;
	if (bound && bound->context == file->context)
		return bound->dev_id;
	if (other->group && other->group->owner == file->context)
		return UAPI_PCI_DEVID_OWNED;

	return UAPI_PCI_DEVID_NOT_OWNED;
}

/**
 * reset_bus() - Reset all functions on a bus
 *
 * Return: 0; -EAGAIN: somebody has the lock of one; what a reset fails with.
 */
static int reset_bus(struct sim *sim, struct sim_device **set, int n)
{
	uint64_t call = sim_call_new(sim);
	unsigned int ms = 0;
	int r = 0;

	for (int i = 0; i < n; i++)
		if (set[i]->lock_owner && sim_rule(SIM_RULE_LOCKED_IS_EAGAIN))
			return -EAGAIN;
	for (int i = 0; i < n; i++) {
		if (!set[i]->lock_owner)
			set[i]->lock_owner = call;
		if (set[i]->reset_ms > ms)
			ms = set[i]->reset_ms;
	}
	sim_delay(sim, ms);
	for (int i = 0; i < n; i++) {
		struct sim_function *f = function_get(set[i]);

		if (set[i]->lock_owner == call)
			set[i]->lock_owner = 0;
		if (set[i]->reset_error)
			r = -set[i]->reset_error;
		else if (f)
			function_reset(f);
	}
	sim_changed(sim);

	return r;
}

/* sim_vfio_try_bus_reset() - After a close without reset */
void sim_vfio_try_bus_reset(struct sim *sim, struct sim_device *device)
{
	struct sim_device *set[BUS_MAX];
	bool needed = false;
	int n = find_bus(sim, device, set);

	for (int i = 0; i < n; i++) {
		const struct sim_function *f = set[i]->function;

		if (!in_set(device, set[i]) ||
		    (set[i]->bound && set[i] != device))
			return;
		needed |= f && f->needs_reset;
	}
	if (n < 0 || !needed || reset_bus(sim, set, n) < 0)
		return;
	for (int i = 0; i < n; i++)
		if (set[i]->function)
			set[i]->function->needs_reset = false;
}

/* --- what is asked from outside --- */

/**
 * put_info() - Answer with the functions of a bus
 * @cmd:	What was asked; what is said of all of them
 *
 * Return: 0; -EFAULT.
 */
static int put_info(const struct sim_file *file,
		    const struct sim_caller *caller, uint64_t arg,
		    struct uapi_pci_hot_reset_info *cmd,
		    struct sim_device *const *set, int n)
{
	struct uapi_pci_dependent_device devices[BUS_MAX];

	cmd->flags = UAPI_PCI_HOT_RESET_FLAG_DEV_ID |
		     UAPI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	cmd->count = (uint32_t)n;
	for (int i = 0; i < n; i++) {
		struct place p = place_of(set[i]->facts.bdf);
		uint32_t id = owned_id(file, set[i]);

		devices[i] = (struct uapi_pci_dependent_device){
			.devid = id,
			.segment = (uint16_t)p.domain,
			.bus = (uint8_t)p.bus,
			.devfn = (uint8_t)(p.slot << 3 | p.function),
		};
		if (id == UAPI_PCI_DEVID_NOT_OWNED &&
		    sim_rule(SIM_RULE_HOT_RESET_SAYS_OWNED))
			cmd->flags &= ~UAPI_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	}
	if (sim_copy_out(caller, arg + sizeof(*cmd), devices,
			 (size_t)n * sizeof(devices[0])) < 0 ||
	    sim_copy_out(caller, arg, cmd, sizeof(*cmd)) < 0)
		return -EFAULT;

	return 0;
}

/* sim_vfio_hot_reset_info() - VFIO_DEVICE_GET_PCI_HOT_RESET_INFO */
long sim_vfio_hot_reset_info(struct sim_file *file,
			     const struct sim_caller *caller, uint64_t arg)
{
	struct sim_device *set[BUS_MAX];
	struct uapi_pci_hot_reset_info cmd;
	int n;

	if (sim_copy_in(caller, &cmd, arg, sizeof(cmd)) < 0)
		return -EFAULT;
	if (sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < sizeof(cmd))
		return -EINVAL;
	n = find_bus(file->sim, file->device, set);
	if (n < 0)
		return n;
	if ((size_t)n <= (cmd.argsz - sizeof(cmd)) /
				 sizeof(struct uapi_pci_dependent_device))
		return put_info(file, caller, arg, &cmd, set, n);

	cmd.flags = 0;
	if (sim_rule(SIM_RULE_HOT_RESET_COUNTS))
		cmd.count = (uint32_t)n;
	if (sim_copy_out(caller, arg, &cmd, sizeof(cmd)) < 0)
		return -EFAULT;

	return -ENOSPC;
}

/* sim_vfio_hot_reset() - VFIO_DEVICE_PCI_HOT_RESET */
long sim_vfio_hot_reset(struct sim_file *file, const struct sim_caller *caller,
			uint64_t arg)
{
	struct sim_device *set[BUS_MAX];
	struct uapi_pci_hot_reset cmd;
	int n;

	if (sim_copy_in(caller, &cmd, arg, sizeof(cmd)) < 0)
		return -EFAULT;
	if ((sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < sizeof(cmd)) || cmd.flags)
		return -EINVAL;
	if (cmd.count) /* group descriptors are for who has opened by group */
		return -EINVAL;
	n = find_bus(file->sim, file->device, set);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		if (sim_rule(SIM_RULE_HOT_RESET_NEEDS_ALL) &&
		    owned_id(file, set[i]) == UAPI_PCI_DEVID_NOT_OWNED)
			return -EINVAL;

	return reset_bus(file->sim, set, n);
}
