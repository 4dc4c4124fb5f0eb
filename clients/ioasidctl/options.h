/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - options as tables: parsed from them, and explained from them
 */
#ifndef IOASIDCTL_OPTIONS_H
#define IOASIDCTL_OPTIONS_H

#include <stdbool.h>

#include "base/str.h"

/* What an option's value is, and what struct option_spec.value points to. */
enum option_kind {
	/* bool: it is there or not. */
	OPTION_FLAG,
	/* const char *: any text. */
	OPTION_TEXT,
	/* struct strv: any text, any number of times. */
	OPTION_LIST,
	/* uint64_t: bytes, such as 512M. */
	OPTION_SIZE,
	/* uint64_t: a decimal number. */
	OPTION_NUMBER,
	OPTION_KINDS,
};

/**
 * struct option_spec - One option
 * @name:	Long name; NULL ends a table
 * @letter:	Short name; 0 for none
 * @kind:	What its value is
 * @value:	Where the value goes
 * @arg:	What the value is called in the help; NULL for a flag
 * @help:	What it does, one line
 */
struct option_spec {
	const char *name;
	char letter;
	enum option_kind kind;
	void *value;
	const char *arg;
	const char *help;
};

/**
 * options_parse() - Read options off a command line
 * @tables:	Tables of options, ended by NULL
 * @argc:	How many words, the first of which is passed over
 * @argv:	The words; arguments are moved behind options
 * @stop:	End at the first argument
 * @ret_first:	Index of the first argument
 *
 * What is wrong is said on stderr.
 *
 * Return: 0 or -EINVAL.
 */
int options_parse(const struct option_spec *const *tables, int argc,
		  char **argv, bool stop, int *ret_first);

/* options_help() - Explain a table on stdout. */
void options_help(const struct option_spec *table);

#endif
