/* SPDX-License-Identifier: Apache-2.0
 *
 * poke.c - what a test does to the simulated machine: cards that are pulled,
 *	    hardware that breaks, disks that are mounted
 *
 * A command is a line of words. It comes by `ioasidd-sim --poke`.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/driver.h"
#include "kernel/sim/function.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/sim.h"

#define WORDS_MAX 6
#define COMMAND_MAX 512
#define DELAY_MAX_MS 3600000

/**
 * struct poke - A command
 * @sim:	The machine
 * @words:	All of it; @n of them. The last one has what is left
 * @device:	The function that the second word names, if one does
 * @text:	What is answered; NULL for nothing
 */
struct poke {
	struct sim *sim;
	char *words[WORDS_MAX];
	size_t n;
	struct sim_device *device;
	char *text;
};

/**
 * invalid() - A word is none that can be there
 */
static int invalid(const struct poke *poke, size_t word, const char *expected,
		   struct error *err)
{
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "poke %s: '%s' is not %s", poke->words[0],
			 poke->words[word], expected);
}

/**
 * failed() - What is said of a call that has failed
 */
static int failed(const struct poke *poke, int r, struct error *err)
{
	return error_set(err, r, r == -ENODEV ? ERROR_DEVICE_NOT_FOUND :
						ERROR_KERNEL_SYSFS,
			 "poke %s %s: %m", poke->words[0], poke->words[1]);
}

/**
 * on_off() - Read "on" or "off"
 */
static int on_off(const struct poke *poke, size_t word, bool *ret,
		  struct error *err)
{
	bool on = str_eq(poke->words[word], "on");

	if (!on && !str_eq(poke->words[word], "off"))
		return invalid(poke, word, "on or off", err);

	*ret = on;
	return 0;
}

/**
 * error_name() - Read the name of an errno, or 0 for none
 */
static int error_name(const struct poke *poke, size_t word, int *ret,
		      struct error *err)
{
	int number = sim_errno(poke->words[word]);

	if (!number && !str_eq(poke->words[word], "0"))
		return invalid(poke, word, "an errno, or 0", err);

	*ret = number;
	return 0;
}

static int poke_remove(struct poke *poke, struct error *err)
{
	int r = sim_remove(poke->sim, poke->words[1]);

	return r < 0 ? failed(poke, r, err) : 0;
}

static int poke_add(struct poke *poke, struct error *err)
{
	int r = sim_add(poke->sim, poke->words[1]);

	return r < 0 ? failed(poke, r, err) : 0;
}

/**
 * poke_override() - Write driver_override; "none" clears it
 */
static int poke_override(struct poke *poke, struct error *err)
{
	const char *driver = poke->words[2];
	int r;

	if (str_eq(driver, "none"))
		driver = "";
	r = sim_set_override(poke->sim, poke->words[1], driver,
			     sim_call_new(poke->sim));

	return r < 0 ? failed(poke, r, err) : 0;
}

/**
 * poke_probe() - Write drivers_probe; what that gave is the answer
 */
static int poke_probe(struct poke *poke, struct error *err)
{
	int r = sim_probe(poke->sim, poke->words[1], sim_call_new(poke->sim));
	const char *name = r < 0 ? strerrorname_np(-r) : "ok";

	if (r == -ENODEV)
		return failed(poke, r, err);
	if (asprintf(&poke->text, "%s\n", name) < 0)
		poke->text = NULL; /* the caller says that there is no memory */

	return 0;
}

static int poke_unbind(struct poke *poke, struct error *err)
{
	int r = sim_unbind(poke->sim, poke->words[1], sim_call_new(poke->sim));

	return r < 0 ? failed(poke, r, err) : 0;
}

/**
 * poke_config() - Write configuration space as the host does, if a value is
 *		   given, and read it
 */
static int poke_config(struct poke *poke, struct error *err)
{
	struct sim_function *f = function_get(poke->device);
	uint64_t at, size, value;

	if (!f)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "poke config: %m");
	if (str_u64(poke->words[2], 0, f->config_size - 1, &at) < 0)
		return invalid(poke, 2, "in configuration space", err);
	if (str_u64(poke->words[3], 10, 4, &size) < 0 || !size ||
	    size & (size - 1) || at % size)
		return invalid(poke, 3, "1, 2 or 4 that divides the address",
			       err);
	if (poke->n > 4 && str_u64(poke->words[4], 0, UINT32_MAX, &value) < 0)
		return invalid(poke, 4, "a number of 32 bits", err);
	if (poke->n > 4)
		function_write(f, at, &value, size);
	value = 0;
	function_read(f, at, &value, size);
	if (asprintf(&poke->text, "0x%" PRIx64 "\n", value) < 0)
		poke->text = NULL; /* the caller says that there is no memory */

	return 0;
}

/**
 * poke_bar() - The same with 4 bytes of BAR 0, memory space on
 */
static int poke_bar(struct poke *poke, struct error *err)
{
	struct sim_function *f = function_get(poke->device);
	uint64_t at, value = 0;
	uint32_t word;

	if (!f)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "poke bar: %m");
	if (str_u64(poke->words[2], 0, f->bar_size[0], &at) < 0 || at % 4 ||
	    at == f->bar_size[0])
		return invalid(poke, 2, "a word of BAR 0", err);
	if (poke->n > 3 && str_u64(poke->words[3], 0, UINT32_MAX, &value) < 0)
		return invalid(poke, 3, "a number of 32 bits", err);
	function_set_command(f, 0, PCI_COMMAND_MEMORY_BIT);
	word = (uint32_t)value;
	if (poke->n > 3)
		function_bar(f, 0, at, &word, sizeof(word), true);
	function_bar(f, 0, at, &word, sizeof(word), false);
	if (asprintf(&poke->text, "0x%" PRIx32 "\n", word) < 0)
		poke->text = NULL; /* the caller says that there is no memory */

	return 0;
}

static int poke_unsafe_interrupts(struct poke *poke, struct error *err)
{
	return on_off(poke, 1, &poke->sim->allow_unsafe, err);
}

static int poke_no_iommu(struct poke *poke, struct error *err)
{
	return on_off(poke, 1, &poke->sim->no_iommu_mode, err);
}

static int poke_numvfs(struct poke *poke, struct error *err)
{
	uint64_t n;
	int r;

	if (str_u64(poke->words[2], 10, UINT16_MAX, &n) < 0)
		return invalid(poke, 2, "a number of VFs", err);
	r = sim_set_numvfs(poke->sim, poke->words[1], (unsigned int)n);

	return r < 0 ? failed(poke, r, err) : 0;
}

static int poke_dead(struct poke *poke, struct error *err)
{
	return on_off(poke, 2, &poke->device->bus_dead, err);
}

static int poke_reset_error(struct poke *poke, struct error *err)
{
	return error_name(poke, 2, &poke->device->reset_error, err);
}

static int poke_probe_error(struct poke *poke, struct error *err)
{
	return error_name(poke, 2, &poke->device->probe_error, err);
}

/**
 * poke_users() - One more user of a function, or none at all
 */
static int poke_users(struct poke *poke, struct error *err)
{
	struct sim_device *device = poke->device;
	struct sim_user user = { .kind = "" };

	if (poke->n == 3 && str_eq(poke->words[2], "none")) {
		device->n_users = 0;
		return 0;
	}
	if (poke->n < 4)
		return invalid(poke, 2, "'none', or a kind with a name", err);
	if (device->n_users == SIM_USERS_MAX)
		return error_set(err, -ENOSPC, ERROR_REQUEST_INVALID,
				 "poke users: %s has %d users already",
				 device->facts.bdf, SIM_USERS_MAX);
	if (!str_copy(user.kind, sizeof(user.kind), poke->words[2]) ||
	    !str_copy(user.name, sizeof(user.name), poke->words[3]) ||
	    !str_copy(user.detail, sizeof(user.detail),
		      poke->n > 4 ? poke->words[4] : ""))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "poke users: a word is too long");
	device->users[device->n_users++] = user;

	return 0;
}

static int poke_delay(struct poke *poke, struct error *err)
{
	struct sim_device *device = poke->device;
	const struct {
		const char *name;
		unsigned int *field;
	} delays[] = {
		{ "bind_ms", &device->bind_ms },
		{ "unbind_ms", &device->unbind_ms },
		{ "reset_ms", &device->reset_ms },
	};
	uint64_t ms;

	if (str_u64(poke->words[3], 10, DELAY_MAX_MS, &ms) < 0)
		return invalid(poke, 3, "a number of milliseconds", err);
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		if (!str_eq(delays[i].name, poke->words[2]))
			continue;
		*delays[i].field = (unsigned int)ms;
		return 0;
	}

	return invalid(poke, 2, "bind_ms, unbind_ms or reset_ms", err);
}

static int poke_state(struct poke *poke, struct error *err)
{
	int r = sim_state(poke->sim, &poke->text);

	return r < 0 ? error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "poke state: %m") : 0;
}

/**
 * poke_rules() - All rules, a line each
 */
static int poke_rules(struct poke *poke, struct error *err)
{
	size_t size = 0;
	FILE *out = open_memstream(&poke->text, &size);

	if (!out)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "poke rules: %m");
	for (unsigned int n = sim_rule_next(0); n; n = sim_rule_next(n))
		fprintf(out, "%u %s\n", n, sim_rule_words(n));
	(void)fclose(out); /* of memory; @text is there or not */

	return 0;
}

static int poke_help(struct poke *poke, struct error *err);

/**
 * struct command - What can be said
 * @name:	First word
 * @usage:	The others
 * @min:	How many words at least
 * @max:	And at most; more are part of the last
 * @device:	The second one is a function that is there
 * @fn:		Does it
 */
static const struct command {
	const char *name, *usage;
	size_t min, max;
	bool device;
	int (*fn)(struct poke *poke, struct error *err);
} commands[] = {
	{ "help", "", 1, 1, false, poke_help },
	{ "remove", "BDF", 2, 2, false, poke_remove },
	{ "add", "BDF", 2, 2, false, poke_add },
	{ "override", "BDF DRIVER|none", 3, 3, false, poke_override },
	{ "probe", "BDF", 2, 2, false, poke_probe },
	{ "unbind", "BDF", 2, 2, false, poke_unbind },
	{ "config", "BDF AT SIZE [VALUE]", 4, 5, true, poke_config },
	{ "bar", "BDF AT [VALUE]", 3, 4, true, poke_bar },
	{ "unsafe-interrupts", "on|off", 2, 2, false, poke_unsafe_interrupts },
	{ "no-iommu", "on|off", 2, 2, false, poke_no_iommu },
	{ "numvfs", "BDF N", 3, 3, false, poke_numvfs },
	{ "dead", "BDF on|off", 3, 3, true, poke_dead },
	{ "reset-error", "BDF ERRNO|0", 3, 3, true, poke_reset_error },
	{ "probe-error", "BDF ERRNO|0", 3, 3, true, poke_probe_error },
	{ "users", "BDF KIND NAME [DETAIL...] | BDF none", 3, 5, true,
	  poke_users },
	{ "delay", "BDF bind_ms|unbind_ms|reset_ms N", 4, 4, true, poke_delay },
	{ "state", "", 1, 1, false, poke_state },
	{ "rules", "", 1, 1, false, poke_rules },
};

/**
 * list() - All commands with their words, a line each
 *
 * Return: to be freed; NULL if there is no memory.
 */
static char *list(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "%s%s%s\n", commands[i].name,
			commands[i].usage[0] ? " " : "", commands[i].usage);
	(void)fclose(out);

	return text;
}

/* poke_help() - What there is */
static int poke_help(struct poke *poke, struct error *err)
{
	poke->text = list();

	return poke->text ? 0 : error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					  "poke help: %m");
}

/**
 * split() - Make words of a line
 * @line:	Changed
 * @max:	The last word takes what is left
 */
static void split(char *line, size_t max, struct poke *poke)
{
	char *rest = line;

	poke->n = 0;
	while (rest && poke->n < max) {
		rest += strspn(rest, " ");
		if (!*rest)
			return;
		poke->words[poke->n++] = rest;
		if (poke->n < max)
			(void)strsep(&rest, " ");
	}
}

/**
 * find() - The command of a line
 *
 * Return: NULL if there is none.
 */
static const struct command *find(const char *line)
{
	size_t n = strcspn(line, " ");

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(commands[i].name) == n &&
		    !strncmp(commands[i].name, line, n))
			return &commands[i];

	return NULL;
}

/**
 * run() - Do what a line says
 * @line:	Without space around it; changed
 */
static int run(struct poke *poke, char *line, struct error *err)
{
	const struct command *command = find(line);
	_cleanup_free_ char *known = NULL;

	if (!command) {
		known = list();
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "poke: '%.40s' is none of: %s", line,
				 known ? str_chomp(known) : "");
	}

	/* One word more than there may be shows that there is one. */
	split(line, command->max + (command->fn != poke_users), poke);
	if (poke->n < command->min || poke->n > command->max)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "poke: it is '%s %s'", command->name,
				 command->usage);
	if (command->device) {
		poke->device = sim_device(poke->sim, poke->words[1]);
		if (!poke->device)
			return failed(poke, -ENODEV, err);
	}

	return command->fn(poke, err);
}

/* sim_poke() - Do something to the machine that no client can do */
int sim_poke(struct sim *sim, const char *command, char **ret_text,
	     struct error *err)
{
	struct poke poke = { .sim = sim };
	char line[COMMAND_MAX];
	int r;

	if (!str_copy(line, sizeof(line), command + strspn(command, " ")))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "poke: longer than %zu bytes",
				 sizeof(line) - 1);
	r = run(&poke, str_chomp(line), err);
	if (!r && !poke.text)
		poke.text = strdup("");
	if (!r && !poke.text)
		r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "poke: %m");
	if (r < 0) {
		free(poke.text);
		return r;
	}

	*ret_text = poke.text;
	return 0;
}
