/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - the command line of ioasidd, and of ioasidd-sim
 */
#ifndef IOASIDD_RUN_OPTIONS_H
#define IOASIDD_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "kernel/kernel.h"

/**
 * struct options - What was asked for; where nothing is said, 0 or NULL until
 *		    options_complete()
 * @config:	The configuration file; NULL for the default
 * @policy_dir:	Folder of policy files; NULL for the default
 * @state_dir:	Where the database is
 * @socket:	Path of the native socket
 * @no_api:	Do without ioasid-api
 * @api_program: Path of ioasid-api; NULL for what comes with us
 * @api_socket:	Path of its UNIX socket; by default api.sock beside @socket
 * @api_listen:	TCP address and port that it serves; NULL for none
 * @api_certificate: PEM file for TLS; NULL for none, as the three that follow
 * @api_key:	Its key
 * @api_authorities: Whose certificates clients may have
 * @api_revoked: Which of those no more
 * @log_level:	The least urgent level to log
 * @foreground:	Do not go into the background
 * @history:	Ended leases and operations that are kept, each
 * @changes:	Changes that are kept for those who watch
 * @max_pinned:	What live leases together may allow to be locked, bytes
 * @backend:	What to use of the kernel; KERNEL_BACKEND_NONE if nothing is said
 * @machine_file: Description of the simulated machine; NULL if none was named
 * @machine_linger: How long it goes on without anybody, seconds
 * @poke:	What to do to the simulated machine that runs, and nothing else;
 *		NULL to be a daemon
 * @api_default: What @api_socket is by default, as long as a socket's path can be
 */
struct options {
	const char *config;
	const char *policy_dir;
	const char *state_dir;
	const char *socket;
	bool no_api;
	const char *api_program;
	const char *api_socket;
	const char *api_listen;
	const char *api_certificate;
	const char *api_key;
	const char *api_authorities;
	const char *api_revoked;
	enum log_level log_level;
	bool foreground;
	uint64_t history;
	uint64_t changes;
	uint64_t max_pinned;
	enum kernel_backend backend;
	const char *machine_file;
	uint64_t machine_linger;
	const char *poke;
	char api_default[108];
};

/**
 * struct option_help - What help says of an option
 * @name:	Without dashes
 * @value:	What its value is called; NULL if it has none
 * @help:	What it does, with the default
 * @id:		For getopt
 */
struct option_help {
	const char *name;
	const char *value;
	const char *help;
	int id;
};

/**
 * options_parse() - Read the command line
 * @ret:	Filled
 *
 * Return: 0: go on; 1: done (help or version were asked for and printed);
 * -EINVAL: said on stderr what is wrong.
 */
int options_parse(int argc, char **argv, struct options *ret);

struct config;

/**
 * options_complete() - What the command line does not say, files or defaults do
 * @config:	Its strings are used
 */
void options_complete(struct options *options, const struct config *config);

#endif
