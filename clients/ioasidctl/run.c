/* SPDX-License-Identifier: Apache-2.0
 *
 * run.c - ioasidctl run: execute a command that holds devices
 *
 * DOC: Theory of Operation
 *
 * The process that asks for the devices becomes the command by exec, so that
 * pid, start time and credentials that ioasidd knows are the command's own;
 * nobody stands in between. As root:
 *
 *	1. Everything that can be wrong with the command line is found out.
 *	2. An offer is made, addressed to the user and to our pid. It expires
 *	   by itself, should we fail before claiming it.
 *	3. That connection, made as root, is closed; uid, gid, groups and all
 *	   capabilities are dropped, no_new_privs is set.
 *	4. A new connection is made, which the kernel presents as the user's;
 *	   the lease is claimed. From here on our death is what gives it back.
 *	5. Every descriptor but 0, 1 and 2 is made close-on-exec, then the
 *	   claimed ones are not. The lease is acknowledged; exec.
 *
 * As somebody else: steps 1 and 4 to 5, for a lease that was offered to him.
 *
 * On a host without iommufd a lease is of nodes, which the command opens. Then root
 * makes them before step 3, in a mount namespace that nobody else has, and the
 * claim says so: nothing changes in the host's /dev, and others of the user's uid
 * do not come into it. For somebody else ioasidd makes the host's own nodes
 * accessible, if it can be done without opening them to others.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/drop.h"
#include "ioasidctl/namespace.h"
#include "ioasidctl/vmm.h"
#include "libioasid/channel.h"
#include "libioasid/message.h"

/* How long the offer is open, seconds: claiming it is our next step. */
#define OFFER_EXPIRES_S 60

static struct strv opt_devices;
static const char *opt_lease, *opt_uid, *opt_gid, *opt_vmm, *opt_token_file;
static bool opt_keep_kvm;
static struct offer_words words;

static const struct option_spec options[] = {
	{ "device", 'd', OPTION_LIST, &opt_devices, "DEVICE",
	  "offer this device and claim it; may be repeated" },
	{ "lease", 'l', OPTION_TEXT, &opt_lease, "LEASE",
	  "claim a lease that is offered already" },
	{ "token-file", 0, OPTION_TEXT, &opt_token_file, "FILE",
	  "claim it by the token in this file (-: standard input)" },
	{ "uid", 'u', OPTION_TEXT, &opt_uid, "USER",
	  "run the command as this user; only root can" },
	{ "gid", 'g', OPTION_TEXT, &opt_gid, "GROUP",
	  "and as this group (the user's own)" },
	{ "keep-kvm", 'k', OPTION_FLAG, &opt_keep_kvm, NULL,
	  "keep the group kvm, for /dev/kvm" },
	{ "memlock", 0, OPTION_TEXT, &words.memlock, "SIZE",
	  "how much memory it may lock, or 'unlimited'" },
	{ "memory", 'm', OPTION_SIZE, &words.memory, "SIZE",
	  "the guest's memory; memlock is 64M more unless given" },
	{ "vmm", 0, OPTION_TEXT, &opt_vmm, "VMM",
	  "how to tell it the descriptors: qemu or none (by its name)" },
	{ "restore", 0, OPTION_FLAG, &words.restore, NULL,
	  "give the devices back to their drivers when it ends" },
	NO_MORE_OPTIONS,
};

/**
 * struct command - What is to be executed
 * @args:	It and its arguments
 * @n_args:	How many
 * @vmm:	How it is told its descriptors
 * @identity:	As whom
 * @path:	The file
 */
struct command {
	char **args;
	int n_args;
	enum vmm vmm;
	struct identity identity;
	char path[PATH_MAX];
};

/**
 * try_path() - Is a file a command?
 * @path:	The file
 * @search:	It is one of many where it may be: in a folder that we may
 *		not look into, it is not
 *
 * Execution may still be refused to the user whom we become; exec tells.
 *
 * Return: CTL_DONE, CTL_CANNOT_EXEC or CTL_NO_COMMAND.
 */
static int try_path(const char *path, bool search)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return search || errno == ENOENT || errno == ENOTDIR ?
		       CTL_NO_COMMAND : CTL_CANNOT_EXEC;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return CTL_CANNOT_EXEC;
	return CTL_DONE;
}

/**
 * find_command() - Find the command, as execvp(3) would
 * @name:	What it is called
 * @path:	The file; PATH_MAX
 *
 * Before anything is offered, so that a misspelt command costs no reset.
 *
 * Return: CTL_DONE, CTL_CANNOT_EXEC or CTL_NO_COMMAND.
 */
static int find_command(const char *name, char *path)
{
	const char *dirs = getenv("PATH");
	int r, worst = CTL_NO_COMMAND;

	if (strchr(name, '/'))
		return str_copy(path, PATH_MAX, name) ? try_path(path, false) :
							CTL_NO_COMMAND;
	if (!dirs)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	for (;;) {
		size_t n = strcspn(dirs, ":");

		/* An empty entry is the current directory. */
		if (str_format(path, PATH_MAX, "%.*s%s%s", (int)n, dirs,
			       n ? "/" : "./", name)) {
			r = try_path(path, true);
			if (r == CTL_DONE)
				return r;
			if (r == CTL_CANNOT_EXEC)
				worst = r;
		}
		if (!dirs[n])
			return worst;
		dirs += n + 1;
	}
}

/**
 * check_placeholders() - Do the arguments suit the devices?
 * @c:		The command
 * @n_devices:	How many devices there are
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int check_placeholders(const struct command *c, size_t n_devices)
{
	int highest = vmm_highest_device(c->args, c->n_args);

	if (c->vmm == VMM_NONE && highest >= (int)n_devices)
		return ctl_usage("{device%d}: there are only %zu devices, "
				 "from {device0}", highest, n_devices);
	return CTL_DONE;
}

/**
 * check() - Find out what can be wrong with the command line
 * @c:		The command; the rest is filled in
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
static int check(struct command *c)
{
	int r;

	if (!opt_lease == !opt_devices.n)
		return ctl_usage("run takes either --device or --lease");
	if (opt_lease && (words.memlock || words.memory || words.restore))
		return ctl_usage("--memlock, --memory and --restore are for an "
				 "offer; --lease names one that was made");
	if (opt_token_file && !opt_lease)
		return ctl_usage("--token-file is for --lease");
	if (vmm_find(opt_vmm, c->args[0], &c->vmm) < 0)
		return ctl_usage("--vmm takes 'qemu' or 'none', not '%s'",
				 opt_vmm);
	r = identity_find(opt_uid, opt_gid, opt_keep_kvm, &c->identity);
	if (r)
		return r;
	if (opt_devices.n) {
		r = check_placeholders(c, opt_devices.n);
		if (r)
			return r;
	}
	r = find_command(c->args[0], c->path);
	if (r)
		(void)ctl_fail("%s: %s", c->args[0], r == CTL_NO_COMMAND ?
			       "there is no such command" :
			       "it cannot be executed");
	return r;
}

/**
 * offer() - Offer the devices to whom we will be
 * @ctl:	This run, connected afterwards
 * @c:		The command
 * @ret:	The lease's name
 * @ret_lease:	The lease
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
static int offer(struct ctl *ctl, const struct command *c,
		 char ret[CTL_NAME_SIZE], ProtobufCMessage **ret_lease)
{
	int r;

	words.devices = opt_devices.items;
	words.n_devices = opt_devices.n;
	words.uid = c->identity.uid;
	words.pid = getpid();
	words.expires_s = OFFER_EXPIRES_S;
	r = ctl_offer(ctl, &words, ret_lease);
	if (r)
		return r;
	if (!str_copy(ret, CTL_NAME_SIZE,
		      ((Ioasid__V1__Lease *)*ret_lease)->name))
		return ctl_fail("the lease's name is too long");
	return CTL_DONE;
}

/**
 * check_mode() - Can the command use what a lease gives?
 * @c:		The command
 * @mode:	The lease's mode
 * @name:	The lease
 *
 * Return: CTL_DONE; CTL_FAILED, and it has been said why.
 */
static int check_mode(const struct command *c, enum ioasid_lease_mode mode,
		      const char *name)
{
	if (mode == IOASID_LEASE_GUARDED)
		return ctl_fail("%s: its mode is guarded: its holder has no "
				"iommufd, and asks ioasidd for every mapping. "
				"A program that uses libioasid claims it "
				"itself", name);
	if (mode != IOASID_LEASE_HOLD || c->vmm != VMM_QEMU)
		return CTL_DONE;
	return ctl_fail("%s: its mode is hold: the devices come bound, and a "
			"QEMU cannot take what it has not bound itself; make a "
			"lease of mode transfer for it. A program that uses "
			"libioasid can, with --vmm none", name);
}

/**
 * find_lease() - Read the lease that the command line names, as root
 * @ctl:	This run, connected afterwards
 * @name:	Its name
 * @ret:	The lease; NULL if it cannot be read: the claim tells why
 */
static void find_lease(struct ctl *ctl, char *name, ProtobufCMessage **ret)
{
	Ioasid__V1__GetLeaseRequest request =
		IOASID__V1__GET_LEASE_REQUEST__INIT;
	struct ioasid_error err;

	*ret = NULL;
	request.name = name;
	if (ctl_connect(ctl) == CTL_DONE)
		(void)channel_call(ctl->conn, "Leases/GetLease", &request.base,
				   &ioasid__v1__lease__descriptor, ret, &err);
}

/**
 * as_root() - What is done for a lease that is named, while we are root
 * @ctl:	This run
 * @c:		The command
 * @name:	The lease's name
 * @ret:	The lease; NULL if it cannot be read
 *
 * Return: CTL_DONE; CTL_FAILED, and it has been said why.
 */
static int as_root(struct ctl *ctl, const struct command *c, char *name,
		   ProtobufCMessage **ret)
{
	const Ioasid__V1__Lease *lease;

	find_lease(ctl, name, ret);
	lease = (const Ioasid__V1__Lease *)*ret;
	return lease ? check_mode(c, (enum ioasid_lease_mode)lease->mode,
				  name) : CTL_DONE;
}

/**
 * own_nodes() - As root: make the nodes of a lease for the command alone
 * @ctl:	This run, connected
 * @c:		The command
 * @lease:	The lease; NULL if it could not be read
 * @ret_made:	The same, if it has nodes
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
static int own_nodes(struct ctl *ctl, const struct command *c,
		     const Ioasid__V1__Lease *lease,
		     const Ioasid__V1__Lease **ret_made)
{
	int r;

	if (!lease || !lease->n_nodes)
		return CTL_DONE;
	r = namespace_make(lease, c->identity.uid, c->identity.change ?
			   c->identity.gid : getegid());
	/* Ours alone, and of no use any more. */
	if (r && opt_devices.n)
		(void)ioasid_lease_release(ctl->conn, lease->name, NULL, NULL);
	*ret_made = lease;
	return r;
}

/**
 * same_devices() - Are the devices claimed the ones asked for?
 * @claim:	What was claimed
 *
 * Return: true if they are, in the same order.
 */
static bool same_devices(const struct ioasid_claim *claim)
{
	char name[CTL_NAME_SIZE];

	if (!opt_devices.n)
		return true;
	if (claim->n_devices != opt_devices.n)
		return false;
	for (size_t i = 0; i < claim->n_devices; i++)
		if (ctl_device_name(opt_devices.items[i], name) ||
		    !str_eq(name, claim->devices[i].name))
			return false;
	return true;
}

/**
 * check_lease() - Find out if the command can use a lease, before claiming it
 * @ctl:	This run, connected afterwards
 * @c:		The command
 * @name:	The lease
 *
 * Once claimed it would have lost its holder. Who may not see it, because it is
 * by its token that he has it, finds out when he has claimed it.
 *
 * Return: CTL_DONE; CTL_FAILED, and it has been said why.
 */
static int check_lease(struct ctl *ctl, const struct command *c,
		       const char *name)
{
	struct ioasid_lease *lease;
	int r;

	r = ctl_connect(ctl);
	if (r)
		return r;
	if (ioasid_lease_get(ctl->conn, name, &lease, NULL) < 0)
		return CTL_DONE;
	r = check_mode(c, lease->mode, name);
	(void)ioasid_lease_free(lease);
	return r;
}

/**
 * claim_lease() - Claim the lease
 * @ctl:	This run; connected as whom the kernel sees us now
 * @name:	The lease
 * @token:	Its token; empty to claim as whom it is addressed to
 * @made:	The lease whose nodes we have made; NULL for none
 * @ret:	The descriptors
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
static int claim_lease(struct ctl *ctl, const char *name, const char *token,
		       const Ioasid__V1__Lease *made,
		       struct ioasid_claim **ret)
{
	struct ioasid_error err;
	int r;

	r = ctl_connect(ctl);
	if (r)
		return r;
	r = made ? ioasid_lease_claim_own_nodes(ctl->conn, name, token, ret,
						&err) :
		   ioasid_lease_claim_token(ctl->conn, name, token, ret, &err);
	if (r < 0) {
		r = ctl_complain(&err, name);
		/* Ours alone, and of no use any more. Otherwise it expires. */
		if (opt_devices.n)
			(void)ioasid_lease_release(ctl->conn, name, NULL, NULL);
		return r;
	}
	if (!same_devices(*ret))
		return ctl_fail("%s: other devices than asked for", name);
	if (made && !namespace_fits(made, (*ret)->lease))
		return ctl_fail("%s: its nodes are others than a moment ago",
				name);
	return CTL_DONE;
}

/**
 * inherit() - Let the command have 0, 1, 2 and the claimed descriptors only
 * @claim:	The descriptors
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
static int inherit(const struct ioasid_claim *claim)
{
	if (close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0)
		return ctl_fail("close_range: %m");
	if (claim->lease->n_nodes)
		return CTL_DONE;
	if (fcntl(claim->iommufd, F_SETFD, 0) < 0)
		return ctl_fail("keeping the iommufd open: %m");
	for (size_t i = 0; i < claim->n_devices; i++)
		if (fcntl(claim->devices[i].fd, F_SETFD, 0) < 0)
			return ctl_fail("keeping %s open: %m",
					claim->devices[i].name);
	return CTL_DONE;
}

/**
 * execute() - Become the command
 * @ctl:	This run
 * @c:		The command
 * @claim:	The descriptors
 * @lease:	The lease
 *
 * Return: on failure only: CTL_CANNOT_EXEC or others, and it has been said why.
 */
static int execute(struct ctl *ctl, const struct command *c,
		   const struct ioasid_claim *claim, const char *lease)
{
	_cleanup_strv_ struct strv args = STRV_NULL;
	struct ioasid_error err;
	int r;

	r = check_placeholders(c, claim->n_devices);
	if (!r && c->vmm == VMM_NONE && claim->lease->n_nodes &&
	    vmm_wants_iommufd(c->args, c->n_args))
		r = ctl_usage("{iommufd}: this host has none; {group0} is the "
			      "node to open, {device0} an address");
	if (!r)
		r = check_mode(c, claim->lease->mode, lease);
	if (r)
		return r;
	if (claim->simulated && c->vmm == VMM_QEMU)
		return ctl_fail("a QEMU cannot use the devices of a simulated "
				"machine: ioctl(2) means nothing on their "
				"descriptors; a program that uses "
				"ioasid_ioctl() can, with --vmm none");
	if (vmm_args(c->vmm, c->args, c->n_args, claim, &args) < 0)
		ctl_no_memory();
	r = inherit(claim);
	if (r)
		return r;
	/* Without it ioasidd lets go after a while: worth a word, no more. */
	if (ioasid_lease_acknowledge(ctl->conn, lease, &err) < 0)
		(void)ctl_complain(&err, lease);
	(void)fflush(NULL);
	(void)execv(c->path, args.items);
	r = errno == ENOENT ? CTL_NO_COMMAND : CTL_CANNOT_EXEC;
	(void)ctl_fail("%s: %m", c->path);
	return r;
}

/**
 * run() - Execute a command that holds devices
 * @ctl:	This run
 * @args:	The command and its arguments
 * @n_args:	How many
 *
 * Return: on failure only: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	struct command c = { .args = args, .n_args = n_args };
	const bool root = geteuid() == 0;
	_cleanup_message_ ProtobufCMessage *offered = NULL;
	const Ioasid__V1__Lease *made = NULL;
	struct ioasid_claim *claim = NULL;
	char token[CTL_TOKEN_SIZE] = "";
	char lease[CTL_NAME_SIZE];
	int r;

	r = check(&c);
	/* The file is ours to read, maybe not whose we become. */
	if (!r && opt_token_file)
		r = ctl_token_read(opt_token_file, token);
	if (r)
		return r;
	r = opt_lease ? ctl_object_name("leases", opt_lease, lease) :
			offer(ctl, &c, lease, &offered);
	if (!r && opt_lease && root)
		r = as_root(ctl, &c, lease, &offered);
	if (!r && root)
		r = own_nodes(ctl, &c, (Ioasid__V1__Lease *)offered, &made);
	ctl_disconnect(ctl);
	if (!r)
		r = identity_become(&c.identity);
	if (!r && made)
		r = namespace_hide();
	if (!r && opt_lease && !root && c.vmm == VMM_QEMU)
		r = check_lease(ctl, &c, lease);
	if (!r)
		r = claim_lease(ctl, lease, token, made, &claim);
	explicit_bzero(token, sizeof(token));
	if (!r)
		r = execute(ctl, &c, claim, lease);
	(void)ioasid_claim_free(claim);
	strv_deinit(&opt_devices);
	return r;
}

const struct verb verb_run = {
	.name = "run",
	.args = "-- COMMAND [ARGUMENT...]",
	.summary = "execute a command, without privileges, that holds devices",
	.details =
	"The command inherits descriptors 0, 1, 2, an iommufd and a VFIO "
	"device for each\nDEVICE. A QEMU (qemu-system...) is told by options "
	"behind its arguments; for\nothers {iommufd}, {device0}, {device1}... "
	"in the arguments become numbers.\nWithout iommufd on the host there "
	"are device nodes instead: {group0} is the path of\none, {device0} a "
	"device's address.\n",
	.options = options,
	.min_args = 1,
	.max_args = -1,
	.command = true,
	.run = run,
};
