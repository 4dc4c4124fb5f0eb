/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - the simulated machine, as ioasidd-sim has it
 */
#ifndef IOASIDD_KERNEL_SIM_CLIENT_H
#define IOASIDD_KERNEL_SIM_CLIENT_H

#include "kernel/kernel.h"

/**
 * kernel_sim_new() - Have the machine of a state folder, started if need be
 * @state_dir:	The folder; made if it is not there
 * @file:	Description; NULL to take the machine that runs
 * @linger_s:	How long a machine that is started here goes on without a daemon
 *		and without an open file
 * @ret:	Ends with its ops->free(), the machine does not
 *
 * Before any thread is started: it forks.
 *
 * Return: 0; -EINVAL request.invalid: the description is wrong, there is none,
 * or a machine of another one runs; -errno.
 */
int kernel_sim_new(const char *state_dir, const char *file,
		   unsigned int linger_s, struct kernel **ret,
		   struct error *err);

/**
 * kernel_sim_poke() - Do something to the machine that runs
 * @state_dir:	The folder
 * @command:	See ioasidd-sim(8)
 * @ret:	What it says, to be freed; may be empty
 *
 * Return: 0; -errno with words.
 */
int kernel_sim_poke(const char *state_dir, const char *command, char **ret,
		    struct error *err);

#endif
