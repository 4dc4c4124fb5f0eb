/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.c - handing a lease's descriptors over
 *
 * The one story that must not be told in another order: the lease that names
 * its holder is durable, then the descriptors are opened and sent. Until the
 * send has succeeded all of it can be taken back. Once it has, the holder
 * counts as having them, whatever becomes of it: a peek installs descriptors,
 * and a process that dies with them in its queue had them. From there on there
 * is the ladder of a holder's death and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/token.h"
#include "ops/commit.h"
#include "ops/container.h"
#include "ops/context.h"
#include "ops/lease.h"
#include "ops/memlock.h"
#include "ops/nodes.h"
#include "ops/watch.h"

/* How long a claim waits for another change of the lease. */
#define OWN_TIMEOUT_MS 2000

/**
 * struct claiming - A claim at work
 * @host:	The host
 * @caller:	Who claims
 * @token:	What the caller has shown; empty for none
 * @own_nodes:	The caller has nodes of its own
 * @lease:	A copy of the lease, what it is to become
 * @pidfd:	The holder, ours
 * @holder:	To wait for its end
 * @acknowledge: To wait for its word
 * @fds:	The iommufd, but of a guarded lease, then a cdev for each device; or
 *		a container, its groups, its devices
 * @n_fds:	How many are open
 * @n_sent:	How many have left
 * @before:	The holder's limit of locked memory as it was
 * @raised:	The holder's limit of locked memory was raised
 */
struct claiming {
	struct host *host;
	const struct caller *caller;
	const char *token;
	bool own_nodes;
	struct lease *lease;
	int pidfd;
	struct watch *holder, *acknowledge;
	int fds[CONTEXT_FDS_MAX];
	size_t n_fds, n_sent;
	struct rlimit before;
	bool raised;
};

/**
 * close_all() - Close what was opened for the holder
 * @c:		The claim
 */
static void close_all(struct claiming *c)
{
	while (c->n_fds > 0)
		fd_close(c->fds[--c->n_fds]);
}

/**
 * has_expired() - Is the time of an offer over, seen by lease_expire() or not?
 * @lease:	The lease
 */
static bool has_expired(const struct lease *lease)
{
	if (lease->state == LEASE_ENDED)
		return str_eq(lease->end_reason, LEASE_EXPIRED);
	return lease->state == LEASE_OFFERED && lease->expires_us &&
	       lease->expires_us <= clock_real_us();
}

/**
 * check_token() - Does the caller have the lease's token?
 * @c:		The claim
 *
 * Return: 0; -EPERM lease.not-claimant; -ETIME lease.expired.
 */
static int check_token(const struct claiming *c, struct error *err)
{
	const struct lease *lease = c->lease;

	if (!lease->has_token || !token_matches(c->token, lease->token_hash))
		return error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
				 "that is not the token of %s", lease->name);
	if (lease->token_expires_us &&
	    lease->token_expires_us <= clock_real_us())
		return error_set(err, -ETIME, ERROR_LEASE_EXPIRED,
				 "the time of the token of %s is over",
				 lease->name);
	return 0;
}

/**
 * check_address() - Is the lease addressed to the caller?
 * @c:		The claim
 *
 * Return: 0; -EPERM lease.not-claimant.
 */
static int check_address(const struct claiming *c, struct error *err)
{
	const struct process *process = &c->caller->process;
	const struct lease *lease = c->lease;
	char unit[UNIT_SIZE];

	if (lease->claimant_uid == (uid_t)-1 ||
	    process->uid != lease->claimant_uid)
		return error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
				 "%s is not addressed to uid %u", lease->name,
				 process->uid);
	if (lease->claimant_pid && lease->claimant_pid != process->pid)
		return error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
				 "%s is addressed to process %d, not to %d",
				 lease->name, (int)lease->claimant_pid,
				 (int)process->pid);
	identity_unit(process->cgroup, unit);
	if (*lease->claimant_unit && !str_eq(lease->claimant_unit, unit))
		return error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
				 "%s is addressed to %s, not to %s",
				 lease->name, lease->claimant_unit,
				 *unit ? unit : "a process in no unit");
	return 0;
}

/**
 * check_claimant() - May this caller claim this lease now?
 * @c:		The claim
 * @change:	What was asked for
 *
 * Return: 0; -ENOENT lease.not-found; -EPERM lease.not-claimant; -EINVAL
 * lease.state; -ETIME lease.expired; -ESTALE request.etag-mismatch,
 * context.lost.
 */
static int check_claimant(const struct claiming *c,
			  const struct change *change, struct error *err)
{
	const struct lease *lease = c->lease;
	char etag[24];
	int r;

	etag_of(lease->revision, etag);
	r = *c->token ? check_token(c, err) : check_address(c, err);
	if (r < 0)
		return r;
	if (has_expired(lease))
		return error_set(err, -ETIME, ERROR_LEASE_EXPIRED,
				 "the time of %s is over", lease->name);
	if (lease->state != LEASE_OFFERED)
		return error_set(err, -EINVAL, ERROR_LEASE_STATE,
				 "%s is %s, not offered", lease->name,
				 lease_state_name(lease->state));
	if (change->etag[0] && !str_eq(change->etag, etag))
		return error_set(err, -ESTALE, ERROR_REQUEST_ETAG_MISMATCH,
				 "%s has changed since etag '%s'", lease->name,
				 change->etag);
	if (lease_is_kept(lease) && !lease->kept)
		return error_set(err, -ESTALE, ERROR_CONTEXT_LOST,
				 "ioasidd has no descriptors of %s any more",
				 lease->name);
	return 0;
}

/**
 * check_devices() - Are the lease's devices still what was offered?
 * @draft:	The devices
 *
 * Return: 0; -EBUSY device.not-ready.
 */
static int check_devices(const struct draft *draft, struct error *err)
{
	size_t i;

	for (i = 0; i < draft->n; i++) {
		const struct device *device = &draft->copies[i];
		int r;

		if (device->state == DEVICE_LEASED && device->facts.vfio)
			continue;
		r = error_set(err, -EBUSY, ERROR_DEVICE_NOT_READY,
			      "%s is %s, with driver %s", device->name,
			      device_state_name(device->state),
			      device->facts.driver[0] ?
				      device->facts.driver : "none");
		error_object(err, "%s", device->name);
		return r;
	}
	return 0;
}

/**
 * name_holder() - Write into lease and devices who is about to hold them
 * @c:		The claim
 * @draft:	The devices
 *
 * Return: 0 or -errno: the holder has ended, or there is no memory.
 */
static int name_holder(struct claiming *c, struct draft *draft,
		       struct error *err)
{
	const struct process *process = &c->caller->process;
	struct holder holder = { .process = *process };
	struct stat st;
	size_t i;
	int r;

	r = process_memlock(process->pid, c->pidfd, NULL,
			    &c->before, err);
	if (r < 0)
		return r;
	holder.memlock_before = c->before.rlim_cur;
	holder.memlock_hard_before = c->before.rlim_max;
	if (fstat(c->pidfd, &st) == 0)
		holder.pidfd_inode = st.st_ino;
	str_copy(holder.boot_id, sizeof(holder.boot_id),
		 c->host->registry->boot_id);
	holder.since_us = clock_real_us();
	if (lease_add_holder(c->lease, &holder) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");

	c->lease->state = LEASE_CLAIMING;
	c->lease->acknowledged = false;
	c->lease->incarnation++;
	for (i = 0; i < draft->n; i++) {
		struct device_record *record = &draft->copies[i].record;

		str_copy(record->last_lease, NAME_SIZE, c->lease->name);
		record->last_uid = process->uid;
	}
	return 0;
}

/**
 * write_claiming() - Commit the lease with its holder, and go on with a copy
 * @c:		The claim; gets all that is needed to go on to either end
 * @draft:	Devices that change with it
 *
 * Return: 0 or -errno.
 */
static int write_claiming(struct claiming *c, struct draft *draft,
			  struct error *err)
{
	struct lease *next = lease_copy(c->lease);
	const struct commit commit = { .lease = c->lease, .draft = draft };
	int r;

	if (!next || watch_new(c->host, next->name, &c->holder) < 0 ||
	    watch_new(c->host, next->name, &c->acknowledge) < 0) {
		lease_free(next);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	}
	r = commit_write(c->host, &commit, err);
	if (r < 0) {
		lease_free(next);
		return r;
	}
	/* What c->lease has now is what the lease was before. */
	lease_free(c->lease);
	c->lease = next;
	return 0;
}

/**
 * write_outcome() - Commit the lease as the claim leaves it
 * @c:		The claim; of its lease only what never changes is true
 *		afterwards
 * @draft:	Devices that change with it; NULL for none
 *
 * There is no way back from here.
 *
 * Return: 0 or -errno.
 */
static int write_outcome(struct claiming *c, struct draft *draft,
			 struct error *err)
{
	const struct commit commit = { .lease = c->lease, .draft = draft };

	return commit_insist(c->host, &commit, err);
}

/**
 * raise_as_far() - Raise the holder's limit as far as it goes without privilege
 * @c:		The claim, of a simulated machine
 * @err:	Why it could not be raised as it should be
 *
 * Whoever runs a simulated machine needs no privilege for anything else. What
 * the holder then cannot map is refused to it by the machine.
 */
static void raise_as_far(struct claiming *c, const struct error *err)
{
	struct rlimit limit = c->before;

	limit.rlim_cur = limit.rlim_max;
	c->raised = process_memlock(c->caller->process.pid, c->pidfd, &limit,
				    NULL, NULL) == 0;
	log_problem(LOG_LEVEL_WARNING, err,
		    "%s: its holder may lock %llu bytes and no more",
		    c->lease->name, (unsigned long long)
		    (c->raised ? limit.rlim_cur : c->before.rlim_cur));
}

/**
 * raise_memlock() - Let the holder lock what the lease allows, on top of what
 *		     it may lock already
 * @c:		The claim; its lease names the holder
 *
 * Return: 0 or -errno.
 */
static int raise_memlock(struct claiming *c, struct error *err)
{
	struct error why = ERROR_NULL;
	struct rlimit limit;
	int r;

	memlock_with(c->lease, &c->before, &limit);
	r = process_memlock(c->caller->process.pid, c->pidfd, &limit, NULL,
			    &why);
	c->raised = r == 0;
	if (r == -EPERM && c->host->simulated) {
		raise_as_far(c, &why);
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

/**
 * open_fresh() - Open a fresh iommufd and each device's cdev
 * @c:		The claim
 * @draft:	The devices, in the lease's order
 *
 * Return: 0 or -errno.
 */
static int open_fresh(struct claiming *c, const struct draft *draft,
		    struct error *err)
{
	const struct kernel_ops *k = c->host->kernel->ops;
	struct kernel *kernel = c->host->kernel;
	size_t i;
	int r;

	r = k->iommufd_open(kernel, &c->fds[0], err);
	if (r < 0)
		return r;
	c->n_fds = 1;
	r = k->iommufd_rlimit_mode(kernel, c->fds[0], err);
	for (i = 0; i < draft->n && r == 0; i++) {
		r = k->cdev_open(kernel, draft->copies[i].facts.bdf,
				 &c->fds[c->n_fds], err);
		c->n_fds += r == 0;
	}
	return r;
}

/**
 * open_all() - Get what the holder is to have
 * @c:		The claim
 * @draft:	The devices, in the lease's order
 *
 * Of a hold lease these are copies of what we keep, bound and attached. Of a lease
 * with nodes the holder opens all itself, and there are none.
 *
 * Return: 0 or -errno.
 */
static int open_all(struct claiming *c, const struct draft *draft,
		    struct error *err)
{
	int n;

	if (c->lease->n_nodes)
		return nodes_open(c->host, c->lease, err);
	if (c->lease->mode == LEASE_TRANSFER)
		return open_fresh(c, draft, err);
	n = context_copy(c->host, c->lease, c->fds, err);
	if (n < 0)
		return n;
	c->n_fds = (size_t)n;
	return 0;
}

/**
 * take_back() - Nothing has left: the lease is offered as before
 * @c:		The claim
 * @before:	The devices as they were before the claim
 * @why:	Why nothing has left
 */
static void take_back(struct claiming *c, struct draft *before,
		      const struct error *why)
{
	struct holder *holder = lease_holder(c->lease);
	struct error err = ERROR_NULL;

	close_all(c);
	/* What still is open shows in the lease, and is in the log. */
	(void)nodes_close(c->host, c->lease, NULL);
	/* The holder may be gone by now, and its limit with it. */
	if (c->raised)
		(void)process_memlock(c->caller->process.pid, c->pidfd,
				      &c->before, NULL, NULL);
	holder->until_us = clock_real_us();
	str_format(holder->why, sizeof(holder->why), "got nothing: %s",
		   why->msg);
	c->lease->state = LEASE_OFFERED;
	c->lease->incarnation--;
	if (write_outcome(c, before, &err) < 0)
		log_problem(LOG_LEVEL_ERROR, &err,
			    "%s: cannot be offered again", c->lease->name);
}

/**
 * hand_over() - Open, send; or take it all back
 * @c:		The claim, durable
 * @before:	The devices as they were before the claim
 * @send:	See lease_claim()
 *
 * Return: 0: the holder has the descriptors; -errno: nothing has left.
 */
static int hand_over(struct claiming *c, struct draft *before,
		     int (*send)(void *data, const struct lease *lease,
				 const int *fds, size_t n_fds),
		     void *data, struct error *err)
{
	int r;

	/* Of a guarded lease the holder maps nothing itself. */
	r = c->lease->mode == LEASE_GUARDED ? 0 : raise_memlock(c, err);
	if (r == 0)
		r = open_all(c, before, err);
	if (r == 0) {
		/* What the holder is told is what it is once it can read it. */
		c->lease->state = LEASE_HELD;
		r = send(data, c->lease, c->fds, c->n_fds);
		if (r < 0)
			error_set(err, r, r == -ENOMEM ?
					  ERROR_DAEMON_NO_MEMORY :
					  ERROR_LEASE_PEER_UNREACHABLE,
				  "the answer could not be sent to process %d: %m",
				  (int)c->caller->process.pid);
	}
	if (r < 0)
		take_back(c, before, err);
	c->n_sent = c->n_fds;
	close_all(c);
	return r;
}

/**
 * log_handed() - Say what has left, to whom
 * @c:		The claim
 */
static void log_handed(const struct claiming *c)
{
	const struct process *process = &c->caller->process;
	const struct lease *lease = c->lease;

	if (lease->n_nodes)
		log_notice("%s: %zu node(s), first '%s', for process %d (%s, uid %u)%s",
			   lease->name, lease->n_nodes,
			   lease->nodes[0].node.path, (int)process->pid,
			   process->comm, process->uid,
			   c->own_nodes ? ", which has its own" : "");
	else
		log_notice("%s: %zu descriptor(s) handed to process %d (%s, uid %u)",
			   lease->name, c->n_sent, (int)process->pid,
			   process->comm, process->uid);
}

/**
 * settle_held() - The descriptors have left: record it, watch the holder
 * @c:		The claim
 */
static void settle_held(struct claiming *c)
{
	struct error err = ERROR_NULL;

	/* Its token has done what it was for. */
	c->lease->has_token = false;
	explicit_bzero(c->lease->token_hash, sizeof(c->lease->token_hash));
	log_handed(c);
	/* Not durable: a start finds it claiming, which means the same. */
	if (write_outcome(c, NULL, &err) < 0)
		log_problem(LOG_LEVEL_ERROR, &err, "%s: cannot be held",
			    c->lease->name);
	watch_holder_consume(TAKE_PTR(c->holder), TAKE_FD(c->pidfd));
	watch_acknowledge_consume(TAKE_PTR(c->acknowledge));
}

/**
 * claim() - The claim, with the lease's devices our own
 * @c:		Host, caller, lease and pidfd are filled
 * @change:	What was asked for
 * @send:	See lease_claim()
 *
 * Return: 0 or -errno.
 */
static int claim(struct claiming *c, const struct change *change,
		 int (*send)(void *data, const struct lease *lease,
			     const int *fds, size_t n_fds),
		 void *data, struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL, before = DRAFT_NULL;
	int r;

	r = check_claimant(c, change, err);
	if (r == 0)
		r = draft_open(c->host, &c->lease->devices, &draft, err);
	if (r == 0)
		r = draft_open(c->host, &c->lease->devices, &before, err);
	if (r == 0)
		r = check_devices(&draft, err);
	if (r == 0)
		r = nodes_plan(c->host, c->lease, &draft, &c->caller->process,
			       c->own_nodes, err);
	if (r < 0 || change->dry_run)
		return r;
	r = name_holder(c, &draft, err);
	if (r == 0)
		r = write_claiming(c, &draft, err);
	if (r == 0)
		r = hand_over(c, &before, send, data, err);
	if (r == 0)
		settle_held(c);
	return r;
}

/**
 * may_claim() - The first check, before anybody waits because of this claim
 * @c:		Host and caller are filled
 * @change:	What was asked for
 *
 * Return: 0, also if there is no such lease; as check_claimant().
 */
static int may_claim(struct claiming *c, const struct change *change,
		     struct error *err)
{
	const struct timespec wrong_token = { .tv_nsec = 100000000 };
	struct registry *reg = c->host->registry;
	int r = 0;

	registry_lock(reg);
	c->lease = registry_lease(reg, change->name);
	if (c->lease)
		r = check_claimant(c, change, err);
	c->lease = NULL;
	registry_unlock(reg);
	error_object(r < 0 ? err : NULL, "%s", change->name);
	/* Nobody guesses 256 bits; this is for who cannot believe it. */
	if (r == -EPERM && *c->token)
		(void)nanosleep(&wrong_token, NULL); /* short is fine */
	return r;
}

/**
 * lease_claim() - See ops.h
 */
int lease_claim(struct host *host, const struct caller *caller,
		const struct change *change, const char *token, bool own_nodes,
		int (*send)(void *data, const struct lease *lease,
			    const int *fds, size_t n_fds),
		void *data, struct error *err)
{
	struct claiming c = { .host = host, .caller = caller, .token = token,
			      .own_nodes = own_nodes, .pidfd = -1 };
	char owned[NAME_SIZE];
	int r;

	r = may_claim(&c, change, err);
	if (r == 0)
		r = lease_own(host, NULL, NULL, change->name, OWN_TIMEOUT_MS,
			      owned, &c.lease, err);
	if (r < 0)
		return r;
	c.pidfd = fcntl(caller->pidfd, F_DUPFD_CLOEXEC, 3);
	if (c.pidfd < 0)
		r = error_set(err, -errno, ERROR_KERNEL_SYSTEM,
			      "duplicate a pidfd: %m");
	else
		r = claim(&c, change, send, data, err);
	if (r < 0)
		error_object(err, "%s", change->name);
	fd_close(c.pidfd);
	watch_free(c.holder);
	watch_free(c.acknowledge);
	lease_free(c.lease);
	lease_disown(host, owned);
	return r;
}
