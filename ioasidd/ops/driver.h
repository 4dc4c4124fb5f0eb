/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.h - acts of operations that change which driver has a device
 */
#ifndef IOASIDD_OPS_DRIVER_H
#define IOASIDD_OPS_DRIVER_H

#include "ops/journal.h"

/**
 * driver_switch() - Put a device on a driver
 * @op:		The operation, which has claimed the device
 * @device:	The draft's copy of it: facts are read anew, and the record gets
 *		into trouble if a helper had to be left behind
 * @driver:	Which; empty for none
 * @override:	What driver_override is to be afterwards; empty for none
 *
 * A device that is there already is not unbound. Each act is journalled.
 *
 * Return: 0; -ETIMEDOUT device.blocked: the device is stuck, and the record
 * says by which helper; -ENODEV device.no-driver: the driver did not take it.
 */
int driver_switch(struct host *host, struct operation *op,
		  struct device *device, const char *driver,
		  const char *override, struct error *err);

/**
 * driver_reregister() - Take a device off its VFIO driver and put it back, so
 *			 that no descriptor of it from before is worth anything
 *
 * As driver_switch() to the driver it is on.
 */
int driver_reregister(struct host *host, struct operation *op,
		      struct device *device, struct error *err);

#endif
