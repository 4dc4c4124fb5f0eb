/* SPDX-License-Identifier: Apache-2.0
 *
 * account.c - whose pinned memory it is, and how much that may be
 */
#include "kernel/sim/account.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/sim/rule.h"

/* account_new() - Add one to the machine's list */
static int account_new(struct sim *sim, bool user, uint32_t id, int mem,
		       struct sim_account **ret)
{
	struct sim_account *account = calloc(1, sizeof(*account));

	if (!account)
		return -ENOMEM;

	*account = (struct sim_account){
		.sim = sim,
		.user = user,
		.id = id,
		.mem = mem,
		.refs = 1,
		.next = sim->accounts,
	};
	sim->accounts = account;
	*ret = account;
	return 0;
}

/* account_find() - One that there is. Return: NULL if there is none. */
static struct sim_account *account_find(struct sim *sim, bool user, uint32_t id)
{
	for (struct sim_account *a = sim->accounts; a; a = a->next)
		if (a->user == user && a->id == id &&
		    (user || sim_account_alive(a)))
			return a;

	return NULL;
}

/* refresh_limit() - Read a process's limit, while it has one */
static void refresh_limit(struct sim_account *process)
{
	struct rlimit limit;

	if (!sim_account_alive(process) ||
	    process_read_memlock((pid_t)process->id, &limit) < 0)
		return;

	process->limit = limit.rlim_cur / SIM_PAGE;
}

/* sim_account_process() - The account of a process */
int sim_account_process(struct sim *sim, pid_t pid, struct sim_account **ret)
{
	struct sim_account *account;
	_cleanup_fd_ int mem = -1;
	char path[40];
	int r;

	account = account_find(sim, false, (uint32_t)pid);
	if (account) {
		refresh_limit(account);
		*ret = sim_account_ref(account);
		return 0;
	}

	str_format(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -EFAULT;

	r = account_new(sim, false, (uint32_t)pid, mem, &account);
	if (r < 0)
		return r;
	(void)TAKE_FD(mem);

	refresh_limit(account);
	*ret = account;
	return 0;
}

/* sim_account_user() - The account of a user */
int sim_account_user(struct sim *sim, uid_t uid, struct sim_account **ret)
{
	struct sim_account *account = account_find(sim, true, uid);

	if (!account)
		return account_new(sim, true, uid, -1, ret);

	*ret = sim_account_ref(account);
	return 0;
}

/* sim_account_ref() - Hold it */
struct sim_account *sim_account_ref(struct sim_account *account)
{
	account->refs++;
	return account;
}

/* sim_account_unref() - Let go of it: it ends when nothing is pinned on it */
struct sim_account *sim_account_unref(struct sim_account *account)
{
	struct sim_account **at;

	if (!account || --account->refs || account->pages)
		return NULL;

	at = &account->sim->accounts;
	while (*at != account)
		at = &(*at)->next;
	*at = account->next;

	account->mem = fd_close(account->mem);
	free(account);
	return NULL;
}

/* sim_account_alive() - Is the memory of that process still there? */
bool sim_account_alive(const struct sim_account *process)
{
	char byte;

	/* Nothing is mapped at 0, which is an error; of no memory at all there
	 * are no bytes, which is none.
	 */
	return pread(process->mem, &byte, 1, 0) != 0;
}

/**
 * locked_by_itself() - What a process has locked by mlock(2), pages
 *
 * It shares its limit with what is pinned for it.
 */
static uint64_t locked_by_itself(const struct sim_account *process)
{
	unsigned long kib = 0;
	char path[40], line[128];
	FILE *file;

	str_format(path, sizeof(path), "/proc/%u/status", process->id);
	file = fopen(path, "re");
	if (!file)
		return 0;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %lu kB", &kib) == 1)
			break;

	(void)fclose(file); /* nothing was written */
	return kib * 1024 / SIM_PAGE;
}

/* sim_account_charge() - More is pinned */
int sim_account_charge(struct sim_account *account,
		       struct sim_account *process, uint64_t pages)
{
	uint64_t own = account->user ? 0 : locked_by_itself(account);

	refresh_limit(process);
	if (sim_rule(SIM_RULE_ACCOUNT_ENOMEM) &&
	    account->pages + own + pages > process->limit)
		return -ENOMEM;

	account->pages += pages;
	return 0;
}

/* sim_account_discharge() - Less is */
void sim_account_discharge(struct sim_account *account, uint64_t pages)
{
	if (sim_rule(SIM_RULE_ACCOUNT_GIVEN_BACK))
		account->pages -= pages;
}

/* sim_account_state() - A line for each */
void sim_account_state(const struct sim *sim, FILE *out)
{
	for (const struct sim_account *a = sim->accounts; a; a = a->next)
		fprintf(out, "account %s %u %" PRIu64 " pages\n",
			a->user ? "user" : "process", a->id, a->pages);
}
