/* SPDX-License-Identifier: Apache-2.0
 *
 * configure.c - what command line, files and defaults say, put to use: at the
 * start, and anew on SIGHUP
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/str.h"
#include "ops/authorize.h"
#include "run/daemon.h"
#include "run/machine.h"

/**
 * read_config() - Read the files
 * @d:		The daemon
 * @ret:	config_free()
 *
 * Return: 0 or -errno.
 */
static int read_config(const struct daemon *d, struct config **ret,
		       struct error *err)
{
	const struct options *o = &d->asked;
	const struct config_paths paths = {
		.file = o->config ? o->config :
			machine_configured ? CONFIG_FILE : NULL,
		.file_must = o->config != NULL,
		.dir = o->policy_dir ? o->policy_dir :
		       machine_configured ? CONFIG_POLICY_DIR : NULL,
		.dir_must = o->policy_dir != NULL,
	};

	return config_read(&paths, ret, err);
}

/* configure() - See daemon.h */
int configure(struct daemon *d)
{
	struct error err = ERROR_NULL;
	int r;

	r = read_config(d, &d->config, &err);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", machine_program, err.msg);
		return r;
	}
	d->options = d->asked;
	options_complete(&d->options, d->config);
	d->host.api_ceiling = d->config->api.ceiling;
	return 0;
}

/* configure_use() - See daemon.h */
void configure_use(struct daemon *d, struct config *config,
		   const struct options *options)
{
	policy_use_consume(TAKE_PTR(config->policy));
	log_set_level(options->log_level);
	d->host.max_pinned = options->max_pinned;
	if (d->front)
		front_limit(d->front, &config->limits);
}

/* configure_api_limits() - See daemon.h */
void configure_api_limits(const struct api_config *api,
			  Ioasid__V1__LinkLimits *ret)
{
	ioasid__v1__link_limits__init(ret);
	/* The table of keys lets no more through than fits. */
	ret->message_bytes = (uint32_t)api->message_bytes;
	ret->header_bytes = (uint32_t)api->header_bytes;
	ret->streams = (uint32_t)api->streams;
	ret->header_timeout_ms = (uint32_t)api->header_timeout_ms;
	ret->body_timeout_ms = (uint32_t)api->body_timeout_ms;
	ret->idle_timeout_ms = (uint32_t)api->idle_timeout_ms;
	ret->request_memory = (uint32_t)api->request_memory;
	ret->handshake_timeout_ms = (uint32_t)api->handshake_timeout_ms;
}

/* configure_api_options() - See daemon.h */
struct api_options configure_api_options(const struct options *o,
					 enum role ceiling,
					 const Ioasid__V1__LinkLimits *limits)
{
	return (struct api_options){
		.program = o->api_program,
		.link = { .socket = o->api_socket, .listen = o->api_listen,
			  .ceiling = ceiling },
		.certificate = o->api_certificate,
		.key = o->api_key,
		.authorities = o->api_authorities,
		.revoked = o->api_revoked,
		.limits = limits,
		.log_level = o->log_level,
	};
}

/**
 * name_restart() - Say what of the new files waits for a restart
 * @d:		The daemon
 * @new:	What the files say now
 * @o:		With what the command line says
 */
static void name_restart(const struct daemon *d, const struct config *new,
			 const struct options *o)
{
	const struct options *was = &d->options;
	const struct {
		const char *name;
		bool same;
	} keys[] = {
		{ "socket", str_eq(o->socket, was->socket) },
		{ "state-dir", str_eq(o->state_dir, was->state_dir) },
		{ "history", o->history == was->history },
		{ "changes", o->changes == was->changes },
		{ "[api] socket", str_eq(o->api_socket, was->api_socket) },
		{ "[api] listen", str_eq(o->api_listen ?: "",
					 was->api_listen ?: "") },
		{ "[api] ceiling", new->api.ceiling == d->host.api_ceiling },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!keys[i].same)
			log_warning("%s has changed: that waits for a restart",
				    keys[i].name);
}

/**
 * reload() - Read the files anew; if they cannot be used the old ones stay
 * @d:		The daemon
 *
 * On the loop: they are small.
 */
static void reload(struct daemon *d)
{
	struct options options = d->asked;
	struct error err = ERROR_NULL;
	Ioasid__V1__LinkLimits limits;
	struct api_options api;
	struct config *config;

	if (read_config(d, &config, &err) < 0) {
		log_problem(LOG_LEVEL_ERROR, &err,
			    "not reloaded, all stays as it was");
		return;
	}
	options_complete(&options, config);
	configure_api_limits(&config->api, &limits);
	api = configure_api_options(&options, d->host.api_ceiling, &limits);
	if (d->api && api_process_reload(d->api, &api, &err) < 0) {
		log_problem(LOG_LEVEL_ERROR, &err,
			    "not reloaded, all stays as it was");
		config_free(config);
		return;
	}
	name_restart(d, config, &options);
	configure_use(d, config, &options);
	config_free(config);
	log_notice("reloaded");
}

/* configure_reload() - See daemon.h */
void configure_reload(struct daemon *d)
{
	char state[64];

	str_format(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_mono_ns() / 1000));
	(void)notify_send(state);
	reload(d);
	(void)notify_send("READY=1");
}
