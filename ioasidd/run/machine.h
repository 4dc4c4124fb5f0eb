/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.h - which machine the daemon has
 *
 * Two programs are made of the same objects: ioasidd with machine-real.c, and
 * ioasidd-sim with machine-sim.c in its place. Nothing else knows which it is.
 */
#ifndef IOASIDD_RUN_MACHINE_H
#define IOASIDD_RUN_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/kernel.h"
#include "run/options.h"

/* Ids of its options begin here. */
#define OPT_MACHINE 512

/* The name of the program, and what its help begins with. */
extern const char machine_program[];
extern const char machine_summary[];

/* It reads ioasidd.conf and policy.d where they are by default. */
extern const bool machine_configured;

/* Options that only it has. */
extern const struct option_help machine_options[];
extern const size_t machine_n_options;

/**
 * machine_option() - Take an option that only it has
 * @id:		Which
 * @value:	Its value
 * @ret:	Where it goes
 *
 * Return: 0; -EINVAL, -ERANGE.
 */
int machine_option(int id, const char *value, struct options *ret);

/**
 * machine_command() - Do what is asked for in place of being a daemon
 *
 * Return: the exit status; -1 to be a daemon.
 */
int machine_command(const struct options *options);

/**
 * machine_start() - Have the machine; before any thread is started
 * @ret:	Ends with its ops->free()
 *
 * Return: 0 or -errno.
 */
int machine_start(const struct options *options, struct kernel **ret,
		  struct error *err);

#endif
