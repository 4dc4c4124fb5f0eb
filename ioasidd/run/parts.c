/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.c - the parts of ioasidd, started in order and stopped in reverse
 *
 * The order: first what there is (machine: a simulated one is another process,
 * forked while we have no thread), then what remembers (store) and our picture
 * of both (registry), then what works (workers, loop, watches), then the past is
 * put in order (startup), and last come those who may ask (uevents, front, api).
 * When a socket answers, all that it shows is true.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "kernel/faulty.h"
#include "ops/context.h"
#include "ops/guarded.h"
#include "ops/node-watch.h"
#include "ops/scan.h"
#include "ops/startup.h"
#include "ops/watch.h"
#include "ops/workers.h"
#include "run/daemon.h"
#include "run/machine.h"

/* Operations wait most of their time: for devices, for the disk. */
#define WORKERS_MAX 32

/**
 * on_dead() - Nothing can be made durable any more: end, on the loop's thread
 * @data:	The daemon
 *
 * Reads are answered until the loop has ended; changes answer daemon.read-only.
 */
static void on_dead(void *data)
{
	struct daemon *d = data;

	d->dead = true;
	loop_stop(d->host.loop);
}

/**
 * store_is_dead() - On the writer thread: tell the loop
 * @data:	The daemon
 */
static void store_is_dead(void *data)
{
	struct daemon *d = data;

	log_error("the state can no longer be made durable; ending");
	if (!d->host.loop || loop_post(d->host.loop, on_dead, d) < 0)
		_exit(EXIT_NOT_DURABLE);
}

/**
 * start_loop() - Make the loop
 * @d:		The daemon
 */
static int start_loop(struct daemon *d, struct error *err)
{
	int r = loop_new(&d->host.loop);

	return r < 0 ? error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "make an event loop: %m") : 0;
}

/**
 * stop_loop() - End it
 * @d:		The daemon
 */
static void stop_loop(struct daemon *d)
{
	d->host.loop = loop_free(d->host.loop);
}

/**
 * start_store() - Open the database
 * @d:		The daemon
 */
static int start_store(struct daemon *d, struct error *err)
{
	return store_open(d->options.state_dir, store_is_dead, d,
			  &d->host.store, err);
}

/**
 * stop_store() - Write what is queued, close it
 * @d:		The daemon
 */
static void stop_store(struct daemon *d)
{
	d->host.store = store_close(d->host.store);
}

/**
 * start_kernel() - Have the machine
 * @d:		The daemon
 */
static int start_kernel(struct daemon *d, struct error *err)
{
	struct kernel *kernel;
	int r;

	r = machine_start(&d->options, &kernel, err);
	if (r < 0)
		return r;
	return kernel_faulty_consume(kernel, &d->host.kernel, err);
}

/**
 * stop_kernel() - Let go of it
 * @d:		The daemon
 */
static void stop_kernel(struct daemon *d)
{
	d->host.kernel->ops->free(d->host.kernel);
}

/**
 * start_registry() - Make an empty picture of this boot
 * @d:		The daemon
 */
static int start_registry(struct daemon *d, struct error *err)
{
	struct kernel_info info;
	int r;

	r = d->host.kernel->ops->info(d->host.kernel, &info, err);
	if (r < 0)
		return r;
	if (info.backend == KERNEL_BACKEND_NONE)
		log_warning("Linux %s has neither /dev/iommu with cdevs nor VFIO containers of type1, or not what --backend asks for: devices are listed, and cannot be prepared",
			    info.release);
	r = registry_new(info.boot_id, &d->host.registry);
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	d->host.registry->history = d->options.history;
	d->host.registry->changes.kept = d->options.changes;
	d->host.simulated = info.simulated;
	return 0;
}

/**
 * stop_registry() - Drop it
 * @d:		The daemon
 */
static void stop_registry(struct daemon *d)
{
	d->host.registry = registry_free(d->host.registry);
}

/**
 * start_watches() - Be able to wait for holders, and for what they open
 * @d:		The daemon
 */
static int start_watches(struct daemon *d, struct error *err)
{
	int r = watches_new(&d->host, err);

	if (r == 0)
		r = node_watches_new(&d->host, err);
	if (r < 0)
		d->host.watches = watches_free(d->host.watches);
	return r;
}

/**
 * stop_watches() - Wait for nobody any more
 * @d:		The daemon
 */
static void stop_watches(struct daemon *d)
{
	d->host.node_watches = node_watches_free(d->host.node_watches);
	d->host.watches = watches_free(d->host.watches);
}

/**
 * start_contexts() - Keep descriptors of hold and guarded leases
 * @d:		The daemon
 */
static int start_contexts(struct daemon *d, struct error *err)
{
	return contexts_new(&d->host, err);
}

/**
 * stop_contexts() - Let go of them; who holds a lease has its own
 * @d:		The daemon
 */
static void stop_contexts(struct daemon *d)
{
	guarded_stop(&d->host);
	d->host.contexts = contexts_free(d->host.contexts);
}

/**
 * start_workers() - Make the pool; its threads start as work comes
 * @d:		The daemon
 */
static int start_workers(struct daemon *d, struct error *err)
{
	int r = workers_new(WORKERS_MAX, &d->host.workers);

	return r < 0 ? error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory") :
		       0;
}

/**
 * stop_workers() - Let all operations end, and run what they posted
 * @d:		The daemon
 */
static void stop_workers(struct daemon *d)
{
	d->host.workers = workers_free(d->host.workers);
	loop_stop(d->host.loop);
	(void)loop_run(d->host.loop);
}

/**
 * start_state() - Load what is remembered, put the past in order
 * @d:		The daemon
 */
static int start_state(struct daemon *d, struct error *err)
{
	int r = startup_load(&d->host, err);

	return r < 0 ? r : startup_resume(&d->host, err);
}

/**
 * on_uevent() - The kernel has announced something
 * @data:	The daemon
 * @events:	Unused
 */
static void on_uevent(void *data, uint32_t events)
{
	struct daemon *d = data;
	struct kernel *kernel = d->host.kernel;
	struct kernel_uevent event;
	struct error err = ERROR_NULL;
	bool any = false;
	int r;

	while ((r = kernel->ops->uevent_read(kernel, d->uevents, &event,
					     &err)) == 0) {
		log_debug("uevent: %s %s %s",
			  event.rescan ? "lost" : event.action,
			  event.subsystem, event.bdf);
		any = true;
	}
	if (any)
		scan_soon(&d->host);
	if (r != -ENODEV)
		return;
	/* What a cut of the power is to a real one. */
	log_problem(LOG_LEVEL_ERROR, &err, "ending");
	d->uevent_source = loop_unwatch(d->uevent_source);
	d->cut = true;
	loop_stop(d->host.loop);
}

/**
 * start_uevents() - Hear of devices that come, go and change
 * @d:		The daemon
 */
static int start_uevents(struct daemon *d, struct error *err)
{
	int r;

	r = d->host.kernel->ops->uevents(d->host.kernel, &d->uevents, err);
	if (r < 0)
		return r;
	r = loop_watch(d->host.loop, d->uevents, EPOLLIN, on_uevent, d,
		       &d->uevent_source);
	if (r < 0) {
		d->uevents = fd_close(d->uevents);
		return error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "watch the kernel's announcements: %m");
	}
	/* What happened between the first scan and now was not announced. */
	scan_soon(&d->host);
	return 0;
}

/**
 * stop_uevents() - Hear of them no more
 * @d:		The daemon
 */
static void stop_uevents(struct daemon *d)
{
	d->uevent_source = loop_unwatch(d->uevent_source);
	d->uevents = fd_close(d->uevents);
}

/**
 * start_front() - Serve the native socket
 * @d:		The daemon
 */
static int start_front(struct daemon *d, struct error *err)
{
	int r = front_start(&d->host, d->options.socket, &d->front, err);

	if (r == 0)
		front_limit(d->front, &d->config->limits);
	return r;
}

/**
 * stop_front() - Serve nobody any more
 * @d:		The daemon
 */
static void stop_front(struct daemon *d)
{
	d->front = front_stop(d->front);
}

/**
 * start_api() - Serve REST and gRPC, if that is wanted and there
 * @d:		The daemon
 */
static int start_api(struct daemon *d, struct error *err)
{
	Ioasid__V1__LinkLimits limits;
	struct api_options options;

	if (d->options.no_api)
		return 0;
	configure_api_limits(&d->config->api, &limits);
	options = configure_api_options(&d->options, d->host.api_ceiling, &limits);
	return api_process_start(d->front, &options, &d->api, err);
}

/**
 * stop_api() - Serve them no more
 * @d:		The daemon
 */
static void stop_api(struct daemon *d)
{
	d->api = api_process_stop(d->api);
}

/**
 * on_signal() - Somebody wants us to end, or to read the files anew
 * @data:	The daemon
 * @events:	Unused
 */
static void on_signal(void *data, uint32_t events)
{
	struct daemon *d = data;
	struct signalfd_siginfo info;

	if (read(d->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		configure_reload(d);
		return;
	}
	log_notice("ending: signal %u from process %u", info.ssi_signo,
		   info.ssi_pid);
	loop_stop(d->host.loop);
}

/**
 * start_signals() - Take SIGTERM, SIGINT and SIGHUP through the loop
 * @d:		The daemon
 */
static int start_signals(struct daemon *d, struct error *err)
{
	sigset_t ends;
	int r;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	d->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signals < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "signalfd: %m");
	r = loop_watch(d->host.loop, d->signals, EPOLLIN, on_signal, d,
		       &d->signal_source);
	if (r == 0)
		return 0;
	d->signals = fd_close(d->signals);
	return error_set(err, r, ERROR_KERNEL_SYSTEM, "watch signals: %m");
}

/**
 * stop_signals() - Take them no more
 * @d:		The daemon
 */
static void stop_signals(struct daemon *d)
{
	d->signal_source = loop_unwatch(d->signal_source);
	d->signals = fd_close(d->signals);
}

/**
 * struct part - One part of the daemon
 * @name:	For messages
 * @start:	0 or -errno with @err filled
 * @stop:	Its reverse; NULL for nothing
 */
static const struct part {
	const char *name;
	int (*start)(struct daemon *d, struct error *err);
	void (*stop)(struct daemon *d);
} parts[] = {
	{ "loop", start_loop, stop_loop },
	{ "signals", start_signals, stop_signals },
	{ "machine", start_kernel, stop_kernel },
	{ "state", start_store, stop_store },
	{ "registry", start_registry, stop_registry },
	{ "watches", start_watches, stop_watches },
	{ "contexts", start_contexts, stop_contexts },
	{ "workers", start_workers, stop_workers },
	{ "start-up", start_state, NULL },
	{ "uevents", start_uevents, stop_uevents },
	{ "native socket", start_front, stop_front },
	{ "api", start_api, stop_api },
};

/* parts_start() - See daemon.h */
int parts_start(struct daemon *d, size_t *ret_started)
{
	struct error err = ERROR_NULL;
	int r;

	for (*ret_started = 0; *ret_started < ARRAY_SIZE(parts);
	     (*ret_started)++) {
		r = parts[*ret_started].start(d, &err);
		if (r < 0) {
			log_problem(LOG_LEVEL_ERROR, &err, "cannot start: %s",
				    parts[*ret_started].name);
			return r;
		}
	}
	return 0;
}

/* parts_stop() - See daemon.h */
void parts_stop(struct daemon *d, size_t started)
{
	while (started-- > 0)
		if (parts[started].stop)
			parts[started].stop(d);
}
