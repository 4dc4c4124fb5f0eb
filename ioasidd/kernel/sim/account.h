/* SPDX-License-Identifier: Apache-2.0
 *
 * account.h - whose pinned memory it is, and how much that may be
 *
 * Users and processes that have mapped memory, in struct sim: what is pinned
 * counts for all contexts of a user together, as in the kernel.
 */
#ifndef IOASIDD_KERNEL_SIM_ACCOUNT_H
#define IOASIDD_KERNEL_SIM_ACCOUNT_H

#include <stdio.h>

#include "kernel/sim/sim.h"

/**
 * struct sim_account - A user or a process
 * @user:	It is a user
 * @id:		uid or pid
 * @mem:	Of a process: /proc/PID/mem; -1 for a user
 * @limit:	Of a process: its RLIMIT_MEMLOCK as last seen, pages
 * @pages:	What is pinned on this account
 * @refs:	Of memory
 */
struct sim_account {
	struct sim *sim;
	bool user;
	uint32_t id;
	int mem;
	uint64_t limit;
	uint64_t pages;
	unsigned int refs;
	struct sim_account *next;
};

/**
 * sim_account_process() - The account of a process
 * @ret:	One reference
 *
 * Return: 0; -EFAULT: it has gone; -ENOMEM.
 */
int sim_account_process(struct sim *sim, pid_t pid, struct sim_account **ret);

/* sim_account_user() - The account of a user. Return: 0 or -ENOMEM. */
int sim_account_user(struct sim *sim, uid_t uid, struct sim_account **ret);

struct sim_account *sim_account_ref(struct sim_account *account);

/* sim_account_unref() - NULL is allowed. Return: NULL. */
struct sim_account *sim_account_unref(struct sim_account *account);

/* sim_account_alive() - Is the memory of that process still there? */
bool sim_account_alive(const struct sim_account *process);

/**
 * sim_account_charge() - More is pinned
 * @account:	Whose
 * @process:	Whose limit it is
 *
 * Return: 0 or -ENOMEM.
 */
int sim_account_charge(struct sim_account *account,
		       struct sim_account *process, uint64_t pages);

void sim_account_discharge(struct sim_account *account, uint64_t pages);

/* sim_account_state() - For sim_state(): a line for each that has memory pinned
 * or mapped.
 */
void sim_account_state(const struct sim *sim, FILE *out);

#endif
