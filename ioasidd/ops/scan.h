/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.h - bringing the registry up to what the machine is
 */
#ifndef IOASIDD_OPS_SCAN_H
#define IOASIDD_OPS_SCAN_H

#include "ops/host.h"

/**
 * scan_now() - Read the machine and take it over; on a worker
 *
 * Return: 0 or -errno: the registry is as it was, and it will be tried again.
 */
int scan_now(struct host *host, struct error *err);

/**
 * scan_soon() - Have it done; many requests become one
 *
 * On the loop's thread.
 */
void scan_soon(struct host *host);

#endif
