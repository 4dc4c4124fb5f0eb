/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - the command line of ioasidd
 */
#ifndef IOASIDD_RUN_OPTIONS_H
#define IOASIDD_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/**
 * struct options - What was asked for
 * @state_dir:	Where the database is
 * @socket:	Path of the native socket
 * @log_level:	The least urgent level to log
 * @foreground:	Do not go into the background
 * @history:	Ended leases and operations that are kept, each
 * @max_pinned:	What live leases together may allow to be locked, bytes
 */
struct options {
	const char *state_dir;
	const char *socket;
	enum log_level log_level;
	bool foreground;
	uint64_t history;
	uint64_t max_pinned;
};

/**
 * options_parse() - Read the command line
 * @ret:	Filled; defaults where nothing is said
 *
 * Return: 0: go on; 1: done (help or version were asked for and printed);
 * -EINVAL: said on stderr what is wrong.
 */
int options_parse(int argc, char **argv, struct options *ret);

#endif
