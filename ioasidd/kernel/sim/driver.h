/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.h - what the machine's half (machine.c, driver.c, sriov.c, describe.c)
 *	      shares and the rest need not know
 *
 * All under the machine's lock.
 */
#ifndef IOASIDD_KERNEL_SIM_DRIVER_H
#define IOASIDD_KERNEL_SIM_DRIVER_H

#include "kernel/sim/sim.h"

/* --- machine.c --- */

/* sim_device_known() - A function, also one that is not present; or NULL. */
struct sim_device *sim_device_known(struct sim *sim, const char *bdf);

/* sim_group_known() - A group, also one that has no function now; or NULL. */
struct sim_group *sim_group_known(struct sim *sim, int number);

/* sim_iommu_known() - An IOMMU by its name; or NULL. */
struct sim_iommu *sim_iommu_known(struct sim *sim, const char *name);

/* sim_device_free() - One that is in no machine. NULL is allowed.
 * Return: NULL.
 */
struct sim_device *sim_device_free(struct sim_device *device);

/* sim_group_free() - likewise. */
struct sim_group *sim_group_free(struct sim_group *group);

/* sim_remove_group() - Take a group out of the machine, and free it: no function
 * may be in it.
 */
void sim_remove_group(struct sim *sim, struct sim_group *group);

/* --- driver.c --- */

/* driver_is_vfio() - Is it one of the VFIO drivers in this kernel? */
bool driver_is_vfio(const struct sim *sim, const char *driver);

/* driver_announce() - The kernel says that something happened. */
void driver_announce(struct sim *sim, const char *action,
		     const char *subsystem, const char *bdf);

/**
 * driver_lock() - Take a function's device lock
 * @call:	Whose it is then; it may have it already
 *
 * Waits, for ever.
 *
 * Return: 0; -ENODEV: the function has gone meanwhile, and nothing is held.
 */
int driver_lock(struct sim *sim, struct sim_device *device, uint64_t call);

/* driver_unlock() - Let go of it, if @call has it. */
void driver_unlock(struct sim *sim, struct sim_device *device, uint64_t call);

/**
 * driver_attach() - Find a driver and let it probe
 *
 * The device's lock is held. A function that has a driver is left alone.
 *
 * Return: 0, also if none was found, or if the one that was found did not want
 * the function; -EBUSY: the group belongs to somebody else.
 */
int driver_attach(struct sim *sim, struct sim_device *device);

/* driver_release() - Take the driver off; the device's lock is held. Waits. */
void driver_release(struct sim *sim, struct sim_device *device);

/**
 * driver_settle() - Bind what would be bound when a machine has started
 *
 * Nothing waits and nothing is announced. Return: as driver_attach(); -ENODEV:
 * the driver did not take the function.
 */
int driver_settle(struct sim *sim, struct sim_device *device);

/* driver_come() - A function appears on its bus: announced, and probed. */
void driver_come(struct sim *sim, struct sim_device *device);

/* driver_go() - It goes: its driver first, which may wait; its lock is held. */
void driver_go(struct sim *sim, struct sim_device *device);

/* sim_errno() - The number of an errno's name, "ENOTTY"; 0 for none. */
int sim_errno(const char *name);

/* --- no-iommu.c --- */

/* no_iommu_accepts() - Would VFIO take a function without a group? */
bool no_iommu_accepts(const struct sim *sim);

/* no_iommu_join() - VFIO takes a function: one without a group gets its own, if
 * no_iommu_accepts(). Return: 0 or -ENOMEM.
 */
int no_iommu_join(struct sim *sim, struct sim_device *device);

/* no_iommu_leave() - VFIO lets go of it: that group goes. */
void no_iommu_leave(struct sim *sim, struct sim_device *device);

/* --- sriov.c --- */

/**
 * sriov_address() - The address of a VF
 * @pf:		Address of its PF
 * @first:	Routing ids from PF to the first VF
 * @stride:	From one VF to the next
 * @index:	Which VF, from 0
 *
 * Return: 0; -ERANGE: it would be beyond the last bus.
 */
int sriov_address(const char *pf, unsigned int first, unsigned int stride,
		  unsigned int index, char ret[BDF_SIZE]);

/* sriov_disable() - Let all VFs of a PF go, each with its driver; may wait. */
void sriov_disable(struct sim *sim, struct sim_device *pf);

#endif
