/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c - the command line of ioasidd: one table for getopt and for help,
 *	       and another of what the machine adds
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "model/registry.h"
#include "run/config.h"
#include "run/machine.h"
#include "run/options.h"

enum {
	OPT_CONFIG = 256,
	OPT_POLICY_DIR,
	OPT_STATE_DIR,
	OPT_SOCKET,
	OPT_API_SOCKET,
	OPT_API_PROGRAM,
	OPT_API_LISTEN,
	OPT_API_CERTIFICATE,
	OPT_API_KEY,
	OPT_API_AUTHORITIES,
	OPT_API_REVOKED,
	OPT_NO_API,
	OPT_LOG_LEVEL,
	OPT_FOREGROUND,
	OPT_HISTORY,
	OPT_CHANGES,
	OPT_MAX_PINNED,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option_help table[] = {
	{ "config", "FILE",
	  "what is not said here (/etc/ioasidd/ioasidd.conf)", OPT_CONFIG },
	{ "policy-dir", "DIR", "who may do what (/etc/ioasidd/policy.d)",
	  OPT_POLICY_DIR },
	{ "state-dir", "DIR", "where state.db is (/var/lib/ioasidd)",
	  OPT_STATE_DIR },
	{ "socket", "PATH", "the native socket (/run/ioasidd/ioasidd.sock)",
	  OPT_SOCKET },
	{ "api-socket", "PATH",
	  "where REST and gRPC are served (api.sock beside the native socket)",
	  OPT_API_SOCKET },
	{ "api-listen", "HOST:PORT", "serve them by TCP, too, with TLS",
	  OPT_API_LISTEN },
	{ "api-certificate", "FILE", "the certificate for that (PEM)",
	  OPT_API_CERTIFICATE },
	{ "api-key", "FILE", "its key", OPT_API_KEY },
	{ "api-authorities", "FILE", "who signs clients' certificates",
	  OPT_API_AUTHORITIES },
	{ "api-revoked", "FILE", "which of those are revoked (CRL)",
	  OPT_API_REVOKED },
	{ "api-program", "FILE", "ioasid-api (beside this, or in ../libexec)",
	  OPT_API_PROGRAM },
	{ "no-api", NULL, "serve neither REST nor gRPC", OPT_NO_API },
	{ "log-level", "LEVEL",
	  "error, warning, notice, info or debug (info)", OPT_LOG_LEVEL },
	{ "foreground", NULL, "stay in the foreground", OPT_FOREGROUND },
	{ "history", "N", "ended leases and operations to keep, each (1000)",
	  OPT_HISTORY },
	{ "changes", "N", "changes to keep for those who watch (4096)",
	  OPT_CHANGES },
	{ "max-pinned", "SIZE",
	  "locked memory that all leases together may allow (7/8 of RAM)",
	  OPT_MAX_PINNED },
	{ "version", NULL, "print the version", OPT_VERSION },
	{ "help", NULL, "print this", OPT_HELP },
};

/* A simulated machine waits so long for a daemon that is started anew. */
#define MACHINE_LINGER_S 60

/* The most options that there are, of both tables. */
#define OPTIONS_MAX 32

/**
 * print_table() - Print what help says of options
 * @options:	They
 * @n:		How many
 */
static void print_table(const struct option_help *options, size_t n)
{
	char left[64];

	for (size_t i = 0; i < n; i++) {
		str_format(left, sizeof(left), "--%s%s%s", options[i].name,
			   options[i].value ? "=" : "",
			   options[i].value ? options[i].value : "");
		printf("  %-22s%s\n", left, options[i].help);
	}
}

/**
 * print_help() - Print what there is, from the tables
 */
static void print_help(void)
{
	printf("usage: %s [OPTION]...\n\n%s\n", machine_program,
	       machine_summary);
	print_table(table, ARRAY_SIZE(table));
	print_table(machine_options, machine_n_options);
	printf("\nExit status: 0 ended as asked; 1 failed; 2 wrong usage; 5 the state could no\n"
	       "longer be made durable.\n");
}

/**
 * default_max_pinned() - Seven eighths of the memory of this machine
 */
static uint64_t default_max_pinned(void)
{
	uint64_t pages = sysconf(_SC_PHYS_PAGES);

	return pages / 8 * 7 * sysconf(_SC_PAGESIZE);
}

/**
 * take_api() - Take one option about the API, or of the machine
 * @id:		Which
 * @value:	Its value; NULL if it has none
 * @ret:	Where it goes
 *
 * Return: 0; -EINVAL: the value is none of those allowed.
 */
static int take_api(int id, const char *value, struct options *ret)
{
	switch (id) {
	case OPT_API_SOCKET:
		ret->api_socket = value;
		return 0;
	case OPT_API_PROGRAM:
		ret->api_program = value;
		return 0;
	case OPT_API_LISTEN:
		ret->api_listen = value;
		return 0;
	case OPT_API_CERTIFICATE:
		ret->api_certificate = value;
		return 0;
	case OPT_API_KEY:
		ret->api_key = value;
		return 0;
	case OPT_API_AUTHORITIES:
		ret->api_authorities = value;
		return 0;
	case OPT_API_REVOKED:
		ret->api_revoked = value;
		return 0;
	case OPT_NO_API:
		ret->no_api = true;
		return 0;
	}
	return machine_option(id, value, ret);
}

/**
 * default_api_socket() - Where the API is served unless something else is said
 * @ret:	Has the native socket's path
 *
 * A path that is too long for a socket is refused for the native one first.
 */
static void default_api_socket(struct options *ret)
{
	const char *slash = strrchr(ret->socket, '/');

	(void)str_format(ret->api_default, sizeof(ret->api_default),
			 "%.*sapi.sock",
			 slash ? (int)(slash + 1 - ret->socket) : 0,
			 ret->socket);
	if (!ret->api_socket)
		ret->api_socket = ret->api_default;
}

/**
 * take() - Take one option
 * @id:		Which
 * @value:	Its value; NULL if it has none
 * @ret:	Where it goes
 *
 * Return: 0; 1: done; -EINVAL: the value is none of those allowed.
 */
static int take(int id, const char *value, struct options *ret)
{
	switch (id) {
	case OPT_CONFIG:
		ret->config = value;
		return 0;
	case OPT_POLICY_DIR:
		ret->policy_dir = value;
		return 0;
	case OPT_STATE_DIR:
		ret->state_dir = value;
		return 0;
	case OPT_SOCKET:
		ret->socket = value;
		return 0;
	case OPT_LOG_LEVEL:
		return log_level_from_name(value, &ret->log_level);
	case OPT_FOREGROUND:
		ret->foreground = true;
		return 0;
	case OPT_HISTORY:
		return str_u64(value, 10, 100000, &ret->history);
	case OPT_CHANGES:
		return str_u64(value, 10, CHANGES_MAX, &ret->changes);
	case OPT_MAX_PINNED:
		return str_size(value, &ret->max_pinned);
	case OPT_VERSION:
		printf("%s " IOASIDD_VERSION "\n", machine_program);
		return 1;
	case OPT_HELP:
		print_help();
		return 1;
	}
	return take_api(id, value, ret);
}

/**
 * add_options() - Let getopt know options
 * @options:	Its table; room for them
 * @from:	They
 * @n:		How many
 */
static void add_options(struct option *options, const struct option_help *from,
			size_t n)
{
	for (size_t i = 0; i < n; i++)
		options[i] = (struct option){
			.name = from[i].name,
			.has_arg = from[i].value ? required_argument :
						   no_argument,
			.val = from[i].id,
		};
}

/**
 * options_parse() - See options.h
 */
int options_parse(int argc, char **argv, struct options *ret)
{
	struct option options[OPTIONS_MAX] = { { .name = NULL } };
	int id, r = 0;

	*ret = (struct options){
		.history = UINT64_MAX,
		.machine_linger = MACHINE_LINGER_S,
	};
	add_options(options, table, ARRAY_SIZE(table));
	add_options(options + ARRAY_SIZE(table), machine_options,
		    machine_n_options);

	while (r == 0 &&
	       (id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take(id, optarg, ret);
		if (r < 0 && id != '?')
			fprintf(stderr, "%s: '%s' cannot be a value of this option\n",
				machine_program, optarg);
	}
	if (r == 0 && optind < argc) {
		fprintf(stderr, "%s: '%s' is not an option\n",
			machine_program, argv[optind]);
		r = -EINVAL;
	}
	return r < 0 ? -EINVAL : r;
}

/* first_of() - The first that is there. */
static const char *first_of(const char *a, const char *b, const char *c)
{
	return a ? a : b ? b : c;
}

/* options_complete() - What the command line does not say */
void options_complete(struct options *o, const struct config *config)
{
	const struct api_config *api = &config->api;

	o->state_dir = first_of(o->state_dir, config->state_dir,
				"/var/lib/ioasidd");
	o->socket = first_of(o->socket, config->socket,
			     "/run/ioasidd/ioasidd.sock");
	if (!o->log_level)
		o->log_level = config->log_level ?
			(enum log_level)config->log_level : LOG_LEVEL_INFO;
	if (o->history == UINT64_MAX)
		o->history = config->history == UINT64_MAX ?
				     REGISTRY_HISTORY : config->history;
	if (!o->changes)
		o->changes = config->changes ? config->changes : CHANGES_MAX;
	if (!o->max_pinned)
		o->max_pinned = config->max_pinned ? config->max_pinned :
						     default_max_pinned();
	o->api_socket = first_of(o->api_socket, api->socket, NULL);
	o->api_listen = first_of(o->api_listen, api->listen, NULL);
	o->api_certificate = first_of(o->api_certificate, api->certificate,
				      NULL);
	o->api_key = first_of(o->api_key, api->key, NULL);
	o->api_authorities = first_of(o->api_authorities, api->authorities,
				      NULL);
	o->api_revoked = first_of(o->api_revoked, api->revoked, NULL);
	default_api_socket(o);
}
