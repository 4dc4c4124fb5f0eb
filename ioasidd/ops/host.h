/* SPDX-License-Identifier: Apache-2.0
 *
 * host.h - the parts that operations work with, and who asks for them
 */
#ifndef IOASIDD_OPS_HOST_H
#define IOASIDD_OPS_HOST_H

#include "base/loop.h"
#include "base/process.h"
#include "kernel/kernel.h"
#include "model/policy.h"
#include "model/registry.h"
#include "store/store.h"

struct workers;
struct watches;
struct node_watches;
struct contexts;
struct parked;

/* How long a call that can hang in the kernel may take before its helper is
 * left behind. A function reset takes up to a second by specification, drivers
 * with I/O in flight take longer to let go.
 */
#define HELPER_TIMEOUT_MS 10000

/**
 * struct host - What every operation has at hand; made and ended by run/
 * @kernel:		The machine
 * @store:		What must outlive us
 * @registry:		The living picture
 * @workers:		Threads that run operations
 * @loop:		The loop thread's; only loop_post() from elsewhere
 * @watches:		Holders that are watched, timers; see watch.h
 * @node_watches:	Nodes that a holder may open; see node-watch.h
 * @contexts:		What is kept of hold and guarded leases; see context.h
 * @parked:		What the service manager has kept of them, until all
 *			leases were looked at; NULL afterwards
 * @simulated:		@kernel is of a simulated machine
 * @max_pinned:		What all live leases together may allow to be locked,
 *			bytes
 * @api_ceiling:	What who comes through ioasid-api can be at most
 * @operation_ended:	Called on the loop's thread after an operation was
 *			published as ended; set by front/
 * @front:		For @operation_ended
 *
 * Pointers never change while operations run.
 */
struct host {
	struct kernel *kernel;
	bool simulated;
	struct store *store;
	struct registry *registry;
	struct workers *workers;
	struct loop *loop;
	struct watches *watches;
	struct node_watches *node_watches;
	struct contexts *contexts;
	struct parked *parked;
	_Atomic uint64_t max_pinned;
	_Atomic enum role api_ceiling;
	void (*operation_ended)(void *front);
	void *front;
};

/* host_backend() - What of the kernel is used, as last scanned */
static inline enum kernel_backend host_backend(struct host *host)
{
	enum kernel_backend backend;

	registry_lock(host->registry);
	backend = host->registry->backend;
	registry_unlock(host->registry);
	return backend;
}

/* Who came by TCP and has not shown a certificate. */
#define PRINCIPAL_UNKNOWN "tcp"

/**
 * struct caller - Who asks
 * @process:	As the kernel knew it when it connected; of ioasidd itself for
 *		what it does unasked. Its uid is -1, nobody's, for who comes by
 *		TCP
 * @pidfd:	The same process; borrowed; -1 for ioasidd itself, and by TCP
 * @principal:	"uid:<n>", "ioasidd"; by TCP "tcp", and once ioasid-api has said
 *		whose certificate there is, "cert:<name in it>"
 * @identity:	What grants can know of it, likewise borrowed; NULL if that is no
 *		more than its uid
 * @unknown:	Nobody has said who it is: it may do nothing
 * @via_api:	What it asks comes through ioasid-api, which may be lying
 * @ceiling:	The most that it can be, whoever it is
 */
struct caller {
	struct process process;
	int pidfd;
	char principal[PRINCIPAL_SIZE];
	struct identity *identity;
	bool unknown;
	bool via_api;
	enum role ceiling;
};

#endif
