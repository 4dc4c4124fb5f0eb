/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c - options as tables: parsed from them, and explained from them
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/options.h"

/* More than any verb has, with the common ones. */
#define OPTIONS_MAX 32

/* What getopt_long() returns for the first option of the tables; above every
 * letter.
 */
#define OPTION_BASE 0x100

/**
 * struct parser - The tables in getopt_long()'s form
 * @specs:	Our own form, by index
 * @longs:	Long options
 * @shorts:	Short options
 * @n:		How many
 */
struct parser {
	const struct option_spec *specs[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 + 2 * OPTIONS_MAX + 1];
	int n;
};

/**
 * parser_add() - Add one option
 * @parser:	The parser
 * @spec:	The option; passed over if there are too many, which a test
 *		of the help would show
 */
static void parser_add(struct parser *parser, const struct option_spec *spec)
{
	size_t end = strlen(parser->shorts);

	if (parser->n == OPTIONS_MAX)
		return;
	parser->specs[parser->n] = spec;
	parser->longs[parser->n] = (struct option){
		.name = spec->name,
		.has_arg = spec->kind == OPTION_FLAG ? no_argument :
						       required_argument,
		.val = OPTION_BASE + parser->n,
	};
	parser->n++;
	if (spec->letter) {
		parser->shorts[end++] = spec->letter;
		if (spec->kind != OPTION_FLAG)
			parser->shorts[end] = ':';
	}
}

/**
 * parser_find() - The option that getopt_long() found
 * @parser:	The parser
 * @val:	What it returned
 *
 * Return: the option; NULL if it is none of ours.
 */
static const struct option_spec *parser_find(const struct parser *parser,
					     int val)
{
	if (val >= OPTION_BASE && val < OPTION_BASE + parser->n)
		return parser->specs[val - OPTION_BASE];
	for (int i = 0; i < parser->n; i++)
		if (parser->specs[i]->letter == val)
			return parser->specs[i];
	return NULL;
}

/**
 * option_set() - Give an option its value
 * @spec:	The option
 * @text:	The value; NULL for a flag
 *
 * Return: 0; -EINVAL and -ERANGE, and it has been said why.
 */
static int option_set(const struct option_spec *spec, const char *text)
{
	int r = 0;

	switch (spec->kind) {
	case OPTION_FLAG:
		*(bool *)spec->value = true;
		break;
	case OPTION_TEXT:
		*(const char **)spec->value = text;
		break;
	case OPTION_LIST:
		if (strv_add(spec->value, text) < 0)
			ctl_no_memory();
		break;
	case OPTION_SIZE:
		r = str_size(text, spec->value);
		break;
	case OPTION_NUMBER:
		r = str_u64(text, 10, INT32_MAX / 1000, spec->value);
		break;
	case OPTION_KINDS:
		break;
	}
	if (r < 0)
		(void)ctl_usage("--%s takes %s, not '%s'", spec->name,
				spec->kind == OPTION_SIZE ?
				"bytes, such as 4096, 512M or 16G" :
				"a number", text);
	return r;
}

/* options_parse() - See options.h. */
int options_parse(const struct option_spec *const *tables, int argc,
		  char **argv, bool stop, int *ret_first)
{
	struct parser parser = { .n = 0 };
	const struct option_spec *spec;
	int val;

	parser.shorts[0] = stop ? '+' : '\0';
	for (; *tables; tables++)
		for (spec = *tables; spec->name; spec++)
			parser_add(&parser, spec);

	/* 0 starts getopt anew, also with its idea of POSIXLY_CORRECT. */
	optind = 0;
	while ((val = getopt_long(argc, argv, parser.shorts, parser.longs,
				  NULL)) >= 0) {
		spec = parser_find(&parser, val);
		if (!spec || option_set(spec, optarg) < 0)
			return -EINVAL;
	}
	*ret_first = optind;
	return 0;
}

/* options_help() - See options.h. */
void options_help(const struct option_spec *table)
{
	for (; table->name; table++) {
		char left[64];

		(void)str_format(left, sizeof(left), "%c%c%s--%s%s%s",
				 table->letter ? '-' : ' ',
				 table->letter ? table->letter : ' ',
				 table->letter ? ", " : "  ", table->name,
				 table->arg ? " " : "",
				 table->arg ? table->arg : "");
		if (strlen(left) > 28)
			printf("  %s\n  %28s  %s\n", left, "", table->help);
		else
			printf("  %-28s  %s\n", left, table->help);
	}
}
