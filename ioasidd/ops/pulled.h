/* SPDX-License-Identifier: Apache-2.0
 *
 * pulled.h - a device of a lease that we keep is taken away: pulled, or its
 *	      driver is made to let go
 *
 * The kernel takes its cdev out of sysfs first, and then waits until every
 * descriptor of it is closed. The holder is asked for its own by an interrupt
 * (VFIO_PCI_REQ_IRQ_INDEX); ours must not be what it waits for. So the lease is
 * kept no more: a holder goes on alone, an offer ends. The holder of a guarded
 * lease goes on without anything that is mapped.
 */
#ifndef IOASIDD_OPS_PULLED_H
#define IOASIDD_OPS_PULLED_H

#include "ops/host.h"

/**
 * pulled_look() - Let go of leases whose devices have lost their cdev
 *
 * After a scan, from every thread; what is to be done is done on workers.
 */
void pulled_look(struct host *host);

#endif
