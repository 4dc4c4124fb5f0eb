/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - bringing the registry up to what the machine is
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "ops/pulled.h"
#include "ops/scan.h"
#include "ops/watch.h"
#include "ops/workers.h"

/* Scans are one after the other, so that an older one never replaces a newer
 * one. There is one machine, so there is one lock.
 */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* A scan that has not begun yet will see all that was announced by now. */
static atomic_flag requested = ATOMIC_FLAG_INIT;

/**
 * missed() - On the loop: the machine could not be read
 * @data:	The host
 */
static void missed(void *data)
{
	watch_scan(data);
}

/**
 * scan_now() - See scan.h
 */
int scan_now(struct host *host, struct error *err)
{
	struct kernel_inventory *inv;
	int r;

	pthread_mutex_lock(&one_at_a_time);
	r = host->kernel->ops->inventory(host->kernel, &inv, err);
	registry_lock(host->registry);
	if (r < 0) {
		registry_unread(host->registry);
	} else {
		r = registry_scan(host->registry, inv);
		kernel_inventory_free(inv);
		if (r < 0)
			error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	}
	registry_unlock(host->registry);
	pthread_mutex_unlock(&one_at_a_time);
	if (r >= 0)
		pulled_look(host);
	/* What changed meanwhile is announced once, and may have been already. */
	if (r < 0)
		loop_insist(host->loop, missed, host);
	return r < 0 ? r : 0;
}

/**
 * run_requested() - A scan that was requested; on a worker
 * @data:	The host
 */
static void run_requested(void *data)
{
	struct error err = ERROR_NULL;

	atomic_flag_clear(&requested);
	if (scan_now(data, &err) < 0)
		log_problem(LOG_LEVEL_ERROR, &err, "cannot read the machine");
}

/**
 * scan_soon() - See scan.h
 */
void scan_soon(struct host *host)
{
	if (atomic_flag_test_and_set(&requested))
		return;
	if (workers_submit(host->workers, run_requested, host) < 0) {
		atomic_flag_clear(&requested);
		watch_scan(host);
	}
}
