/* SPDX-License-Identifier: Apache-2.0
 *
 * ladder.h - making a device safe for the next holder, rung by rung
 */
#ifndef IOASIDD_OPS_LADDER_H
#define IOASIDD_OPS_LADDER_H

#include "ops/journal.h"

/**
 * ladder_run() - Look for other holders, re-register, reset, check the health
 * @op:		The operation, which has claimed the device
 * @device:	The draft's copy, on its VFIO driver. On failure its record says
 *		why it is quarantined or stuck, on success it is out of trouble.
 *
 * Each rung is a step of the operation, with method and result. Nothing that a
 * holder left open, mapped or parked can reach the device afterwards.
 *
 * Return: 0; -EBUSY device.held; -ETIMEDOUT device.blocked; -EIO
 * device.unhealthy; other kernel errors.
 */
int ladder_run(struct host *host, struct operation *op, struct device *device,
	       struct error *err);

/**
 * ladder_probe() - Find out what a device can do, if that is not known
 * @op:		The operation
 * @draft:	The devices
 * @i:		Which; the ladder has been run
 *
 * It is forgotten when a start finds the device without its driver, as it is in
 * the middle of the ladder.
 *
 * Return: 0 or -errno.
 */
int ladder_probe(struct host *host, struct operation *op, struct draft *draft,
		 size_t i, struct error *err);

#endif
