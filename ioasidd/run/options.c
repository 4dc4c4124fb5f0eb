/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c - the command line of ioasidd: one table for getopt and for help
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "model/registry.h"
#include "run/options.h"

enum {
	OPT_STATE_DIR = 256,
	OPT_SOCKET,
	OPT_LOG_LEVEL,
	OPT_FOREGROUND,
	OPT_HISTORY,
	OPT_MAX_PINNED,
	OPT_VERSION,
	OPT_HELP,
};

/**
 * struct option_help - What help says of an option
 * @name:	Without dashes
 * @value:	What its value is called; NULL if it has none
 * @help:	What it does, with the default
 */
static const struct option_help {
	const char *name;
	const char *value;
	const char *help;
	int id;
} table[] = {
	{ "state-dir", "DIR", "where state.db is (/var/lib/ioasidd)",
	  OPT_STATE_DIR },
	{ "socket", "PATH", "the native socket (/run/ioasidd/ioasidd.sock)",
	  OPT_SOCKET },
	{ "log-level", "LEVEL",
	  "error, warning, notice, info or debug (info)", OPT_LOG_LEVEL },
	{ "foreground", NULL, "stay in the foreground", OPT_FOREGROUND },
	{ "history", "N", "ended leases and operations to keep, each (1000)",
	  OPT_HISTORY },
	{ "max-pinned", "SIZE",
	  "locked memory that all leases together may allow (7/8 of RAM)",
	  OPT_MAX_PINNED },
	{ "version", NULL, "print the version", OPT_VERSION },
	{ "help", NULL, "print this", OPT_HELP },
};

/**
 * print_help() - Print what there is, from the table
 */
static void print_help(void)
{
	char left[64];
	size_t i;

	printf("usage: ioasidd [OPTION]...\n\n"
	       "Owns I/O address spaces and VFIO devices, and hands their descriptors to\n"
	       "unprivileged virtual machine monitors.\n\n");
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		str_format(left, sizeof(left), "--%s%s%s", table[i].name,
			   table[i].value ? "=" : "",
			   table[i].value ? table[i].value : "");
		printf("  %-22s%s\n", left, table[i].help);
	}
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
	case OPT_MAX_PINNED:
		return str_size(value, &ret->max_pinned);
	case OPT_VERSION:
		printf("ioasidd " IOASIDD_VERSION "\n");
		return 1;
	case OPT_HELP:
		print_help();
		return 1;
	}
	return -EINVAL;
}

/**
 * options_parse() - See options.h
 */
int options_parse(int argc, char **argv, struct options *ret)
{
	struct option options[ARRAY_SIZE(table) + 1] = { { .name = NULL } };
	int id, r = 0;
	size_t i;

	*ret = (struct options){
		.state_dir = "/var/lib/ioasidd",
		.socket = "/run/ioasidd/ioasidd.sock",
		.log_level = LOG_LEVEL_INFO,
		.history = REGISTRY_HISTORY,
		.max_pinned = default_max_pinned(),
	};
	for (i = 0; i < ARRAY_SIZE(table); i++)
		options[i] = (struct option){
			.name = table[i].name,
			.has_arg = table[i].value ? required_argument :
						    no_argument,
			.val = table[i].id,
		};

	while (r == 0 &&
	       (id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		r = take(id, optarg, ret);
		if (r < 0 && id != '?')
			fprintf(stderr, "ioasidd: '%s' cannot be a value of this option\n",
				optarg);
	}
	if (r == 0 && optind < argc) {
		fprintf(stderr, "ioasidd: '%s' is not an option\n",
			argv[optind]);
		r = -EINVAL;
	}
	return r < 0 ? -EINVAL : r;
}
