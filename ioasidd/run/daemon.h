/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon.h - ioasidd as a whole: what main.c, parts.c and configure.c share
 */
#ifndef IOASIDD_RUN_DAEMON_H
#define IOASIDD_RUN_DAEMON_H

#include "front/front.h"
#include "ops/host.h"
#include "run/api-process.h"
#include "run/config.h"
#include "run/options.h"

/* Statuses that the process ends with. */
#define EXIT_USAGE 2
#define EXIT_NOT_DURABLE 5

/**
 * struct daemon - ioasidd; of the loop's thread
 * @asked:	What the command line says
 * @options:	With what files and defaults say
 * @config:	What they said at the start; @options has strings of it
 * @host:	The parts that operations work with
 * @front:	Who may ask
 * @api:	ioasid-api; NULL if there is none
 * @signals:	signalfd
 * @uevents:	The kernel's announcements
 * @signal_source: In the loop
 * @uevent_source: In the loop
 * @ready_fd:	Who started us in the background waits here; -1 if nobody
 * @dead:	The state can no longer be made durable
 * @cut:	The machine is no more
 */
struct daemon {
	struct options asked;
	struct options options;
	struct config *config;
	struct host host;
	struct front *front;
	struct api_process *api;
	int signals;
	int uevents;
	struct loop_source *signal_source;
	struct loop_source *uevent_source;
	int ready_fd;
	bool dead, cut;
};

/**
 * parts_start() - Start every part
 * @d:		The daemon
 * @ret_started: How many have started
 *
 * Return: 0; -errno: what failed is logged.
 */
int parts_start(struct daemon *d, size_t *ret_started);

/**
 * parts_stop() - Stop those that have started, in reverse
 * @d:		The daemon
 * @started:	How many
 */
void parts_stop(struct daemon *d, size_t started);

/**
 * configure() - Put together what command line, files and defaults say
 * @d:		With @asked; gets @options and @config
 *
 * Return: 0; -errno: it was said on stderr what is wrong.
 */
int configure(struct daemon *d);

/**
 * configure_use() - Use of the files what can be changed while we run
 * @d:		The daemon
 * @config:	Loses its policy
 * @options:	Complete
 */
void configure_use(struct daemon *d, struct config *config,
		   const struct options *options);

/**
 * configure_api_limits() - What clients of ioasid-api may do
 * @api:	What the files say
 * @ret:	Filled; 0 is the default there, too
 */
void configure_api_limits(const struct api_config *api,
			  Ioasid__V1__LinkLimits *ret);

/**
 * configure_api_options() - What is asked of the API
 * @o:		Complete
 * @ceiling:	The most that its clients may be
 * @limits:	For them
 */
struct api_options configure_api_options(const struct options *o,
					 enum role ceiling,
					 const Ioasid__V1__LinkLimits *limits);

/* configure_reload() - Read the files anew, as the service manager wants to
 * hear of it; if they cannot be used the old ones stay.
 */
void configure_reload(struct daemon *d);

#endif
