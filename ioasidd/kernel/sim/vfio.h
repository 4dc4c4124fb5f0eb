/* SPDX-License-Identifier: Apache-2.0
 *
 * vfio.h - calls on a VFIO cdev of the simulated machine; for file.c
 *
 * All under the machine's lock. Those that reset wait as long as that takes,
 * without it; a file is not closed before the calls on it have ended.
 */
#ifndef IOASIDD_KERNEL_SIM_VFIO_H
#define IOASIDD_KERNEL_SIM_VFIO_H

#include "base/uapi.h"
#include "kernel/sim/sim.h"

#define SIM_VFIO_REGIONS 9
#define SIM_VFIO_IRQS 5

/* Where a region begins in the descriptor. */
#define SIM_VFIO_OFFSET(index) ((uint64_t)(index) << 40)

/* --- bind.c --- */

/* sim_vfio_bind() - VFIO_DEVICE_BIND_IOMMUFD */
long sim_vfio_bind(struct sim_file *file, const struct sim_caller *caller,
		   uint64_t arg);

/**
 * sim_vfio_release() - A bound cdev is closed
 *
 * It is detached and unbound, its group is free if it was the last, and the
 * function is reset. One that is not bound: nothing.
 */
void sim_vfio_release(struct sim_file *file);

/* --- reset.c --- */

/**
 * sim_vfio_try_reset() - Reset a function, keeping its configuration
 *
 * Return: 0; -ENOTTY: no reset is known for it; -EAGAIN: somebody has its lock;
 * -ENODEV: it went away; what its reset fails with.
 */
int sim_vfio_try_reset(struct sim *sim, struct sim_device *device);

/* sim_vfio_try_bus_reset() - After a close without reset: reset the bus, if all
 * that is on it is with VFIO and nobody has any of it open.
 */
void sim_vfio_try_bus_reset(struct sim *sim, struct sim_device *device);

long sim_vfio_hot_reset_info(struct sim_file *file,
			     const struct sim_caller *caller, uint64_t arg);
long sim_vfio_hot_reset(struct sim_file *file, const struct sim_caller *caller,
			uint64_t arg);

/* --- vfio.c --- */

/* sim_vfio_ioctl() - As sim_ioctl(), of a cdev. */
long sim_vfio_ioctl(struct sim_file *file, const struct sim_caller *caller,
		    unsigned long request, uint64_t arg);

/* sim_vfio_rw() - As sim_pread() and sim_pwrite(), of a cdev. */
ssize_t sim_vfio_rw(struct sim_file *file, const struct sim_caller *caller,
		    uint64_t buf, size_t size, uint64_t at, bool write);

#endif
