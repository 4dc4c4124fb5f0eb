/* SPDX-License-Identifier: Apache-2.0
 *
 * startup.h - from the database and the machine to a registry that is true
 */
#ifndef IOASIDD_OPS_STARTUP_H
#define IOASIDD_OPS_STARTUP_H

#include "ops/host.h"

/**
 * startup_load() - Read the database, then the machine; change neither
 *
 * On the loop's thread, before anybody is served.
 */
int startup_load(struct host *host, struct error *err);

/**
 * startup_resume() - End what an ioasidd before us left unfinished
 *
 * Walks unfinished operations forward or back, adopts the leases whose holders
 * live, reclaims those whose holders do not, and prepares remembered devices
 * again that are driverless or on their VFIO driver already. Devices are
 * claimed when this returns; the work itself goes on with workers. No device of
 * a lease that is adopted is bound.
 */
int startup_resume(struct host *host, struct error *err);

#endif
