/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - ioasidctl: find the verb, read its options, do it
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "ioasidctl/ctl.h"

static const struct verb *const verbs[] = {
	&verb_devices, &verb_device_show, &verb_device_recover, &verb_groups,
	&verb_prepare, &verb_restore, &verb_lease_create, &verb_lease_list,
	&verb_lease_show, &verb_lease_release, &verb_lease_token_reissue,
	&verb_space_list, &verb_space_show, &verb_space_create, &verb_map_list,
	&verb_space_delete, &verb_space_attach, &verb_space_detach,
	&verb_window_set, &verb_window_add, &verb_window_resize,
	&verb_window_remove, &verb_window_plan, &verb_bind_list,
	&verb_bind_show, &verb_bind_create, &verb_bind_delete,
	&verb_bind_attach, &verb_bind_detach, &verb_bind_invalidate,
	&verb_dirty_on, &verb_dirty_off, &verb_dirty_show, &verb_policy_check,
	&verb_usage,
	&verb_operation_list, &verb_operation_show, &verb_operation_wait,
	&verb_operation_cancel, &verb_watch, &verb_run, &verb_machine_capture,
	&verb_version,
};

static struct ctl ctl = { .timeout_ms = -1 };
static uint64_t opt_timeout_s;
static bool opt_help;

/* For every verb, before its name or after it. */
static const struct option_spec common[] = {
	{ "socket", 's', OPTION_TEXT, &ctl.socket, "PATH",
	  "where ioasidd is ($IOASIDD_SOCKET, " IOASID_DEFAULT_SOCKET ")" },
	{ "json", 'j', OPTION_FLAG, &ctl.json, NULL,
	  "for programs: the reply as JSON, by the mapping of proto3" },
	{ "timeout", 't', OPTION_NUMBER, &opt_timeout_s, "SECONDS",
	  "for an answer, and for an operation to end (no limit)" },
	{ "help", 'h', OPTION_FLAG, &opt_help, NULL, "this" },
	NO_MORE_OPTIONS,
};

/* help_exit_codes() - Explain what ioasidctl exits with. */
static void help_exit_codes(void)
{
	printf("\nExit codes:\n"
	       "  0  done\n"
	       "  1  refused, or failed\n"
	       "  2  the command line makes no sense\n"
	       "  3  ioasidd cannot be reached\n"
	       "  4  the time was over, or the operation still runs\n"
	       "  run: otherwise the command's own; 126 if it cannot be "
	       "executed, 127 if it does\n"
	       "  not exist\n");
}

/* help_all() - Explain all verbs, shortly. */
static void help_all(void)
{
	printf("Usage: ioasidctl [OPTION...] VERB [ARGUMENT...]\n\n"
	       "Give devices to virtual machines and user-space drivers "
	       "through ioasidd.\n\nVerbs:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		char left[64];

		(void)str_format(left, sizeof(left), "%s %s", verbs[i]->name,
				 verbs[i]->args ? verbs[i]->args : "");
		printf("  %-26s  %s\n", left, verbs[i]->summary);
	}
	printf("\nOptions of all verbs:\n");
	options_help(common);
	help_exit_codes();
	printf("\nDEVICE is a PCI address (3b:00.0) or a name "
	       "(devices/pci-0000-3b-00.0).\n"
	       "`ioasidctl VERB --help` explains one verb; all of it is in "
	       "ioasidctl(1).\n");
}

/**
 * help_verb() - Explain one verb
 * @verb:	Which
 */
static void help_verb(const struct verb *verb)
{
	printf("Usage: ioasidctl %s [OPTION...]%s%s\n\n%c%s.\n", verb->name,
	       verb->args ? " " : "", verb->args ? verb->args : "",
	       verb->summary[0] - 'a' + 'A', verb->summary + 1);
	if (verb->details)
		printf("\n%s", verb->details);
	if (verb->options[0].name) {
		printf("\nOptions:\n");
		options_help(verb->options);
	}
	printf("\nOptions of all verbs:\n");
	options_help(common);
	help_exit_codes();
}

/**
 * words_of() - How many words of a command line are a verb's name
 * @verb:	The verb
 * @n:		How many words there are
 * @args:	The words
 *
 * Return: 1 to 3; 0 if it is not this verb.
 */
static int words_of(const struct verb *verb, int n, char **args)
{
	const char *rest = verb->name;

	for (int i = 0; i < n; i++) {
		rest = str_starts(rest, args[i]);
		if (rest && !*rest)
			return i + 1;
		if (!rest || *rest != ' ')
			return 0;
		rest++;
	}
	return 0;
}

/**
 * find_verb() - Find the verb
 * @n:		How many words there are
 * @args:	The words
 * @ret_words:	How many of them are its name
 *
 * Return: the verb; NULL if there is none, and it has been said.
 */
static const struct verb *find_verb(int n, char **args, int *ret_words)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		*ret_words = words_of(verbs[i], n, args);
		if (*ret_words)
			return verbs[i];
	}
	(void)ctl_usage("there is no verb '%s%s%s'; see `ioasidctl --help`",
			args[0], n > 1 ? " " : "", n > 1 ? args[1] : "");
	return NULL;
}

/**
 * check_args() - Has a verb as many arguments as it takes?
 * @verb:	The verb
 * @n:		How many it has
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said.
 */
static int check_args(const struct verb *verb, int n)
{
	if (n >= verb->min_args && (verb->max_args < 0 || n <= verb->max_args))
		return CTL_DONE;
	return ctl_usage("usage: ioasidctl %s [OPTION...]%s%s", verb->name,
			 verb->args ? " " : "", verb->args ? verb->args : "");
}

/**
 * do_verb() - Read a verb's options and do it
 * @verb:	The verb
 * @argc:	How many words, its name's last one first
 * @argv:	The words
 *
 * Return: enum ctl_exit.
 */
static int do_verb(const struct verb *verb, int argc, char **argv)
{
	const struct option_spec *const tables[] = { verb->options, common,
						     NULL };
	int first, r;

	if (options_parse(tables, argc, argv, verb->command, &first) < 0)
		return CTL_USAGE;
	if (opt_help) {
		help_verb(verb);
		return CTL_DONE;
	}
	r = check_args(verb, argc - first);
	if (r)
		return r;
	if (!ctl.socket)
		ctl.socket = getenv("IOASIDD_SOCKET");
	if (opt_timeout_s)
		ctl.timeout_ms = (int)opt_timeout_s * 1000;
	r = verb->run(&ctl, argv + first, argc - first);
	ctl_disconnect(&ctl);
	return r;
}

/**
 * open_standard() - Have descriptors 0, 1 and 2 open
 *
 * Otherwise a device could become somebody's standard output.
 *
 * Return: 0 or -errno.
 */
static int open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		/* These stay open over exec, as the others of their kind. */
		if (fd <= 2 && fcntl(fd, F_SETFD, 0) < 0)
			return -errno;
	} while (fd <= 2);
	(void)fd_close(fd);
	return 0;
}

/**
 * main() - ioasidctl
 * @argc:	How many words
 * @argv:	The words
 *
 * Return: enum ctl_exit.
 */
int main(int argc, char **argv)
{
	const struct option_spec *const tables[] = { common, NULL };
	const struct verb *verb;
	int first, words, r;

	if (open_standard() < 0)
		return CTL_FAILED;
	(void)setlocale(LC_ALL, "");
	if (options_parse(tables, argc, argv, true, &first) < 0)
		return CTL_USAGE;
	argc -= first;
	argv += first;
	if (argc < 1) {
		if (!opt_help)
			return ctl_usage("which verb? see `ioasidctl --help`");
		help_all();
		return CTL_DONE;
	}
	verb = find_verb(argc, argv, &words);
	if (!verb)
		return CTL_USAGE;
	argv[words - 1] = (char *)"ioasidctl"; /* for messages of getopt */
	r = do_verb(verb, argc - words + 1, argv + words - 1);
	if (fflush(stdout) != 0 && r == CTL_DONE)
		return ctl_fail("writing the output: %m");
	return r;
}
