/* SPDX-License-Identifier: Apache-2.0
 *
 * drop.c - become somebody else, for good and with no privilege
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/drop.h"

/* Two words of 32 capabilities each. */
struct caps {
	struct __user_cap_data_struct word[_LINUX_CAPABILITY_U32S_3];
};

/**
 * caps_get() - Read our capabilities
 * @ret:	They
 *
 * Return: 0 or -errno.
 */
static int caps_get(struct caps *ret)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};

	memset(ret, 0, sizeof(*ret));
	return syscall(SYS_capget, &head, ret->word) < 0 ? -errno : 0;
}

/**
 * caps_clear() - Give up permitted, effective and inheritable capabilities
 *
 * Return: 0 or -errno.
 */
static int caps_clear(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct caps none = { 0 };

	return syscall(SYS_capset, &head, none.word) < 0 ? -errno : 0;
}

/**
 * may_drop_bounding() - Have we got CAP_SETPCAP?
 *
 * Return: true if we have.
 */
static bool may_drop_bounding(void)
{
	struct caps caps;

	return caps_get(&caps) == 0 &&
	       (caps.word[0].effective & 1u << CAP_SETPCAP);
}

/**
 * bounding_clear() - Empty the bounding set
 *
 * Who has not got CAP_SETPCAP may not; no_new_privs then keeps every exec from
 * giving anything out of that set.
 *
 * Return: 0 or -errno.
 */
static int bounding_clear(void)
{
	if (!may_drop_bounding())
		return 0;
	for (int cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			break; /* the last one of this kernel was before it */
		if (has && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

/**
 * switch_ids() - Change groups, gid and uid, in the order that works
 * @identity:	Whom to become
 *
 * Return: 0 or -errno.
 */
static int switch_ids(const struct identity *identity)
{
	if (!identity->change)
		return 0;
	if (setgroups(identity->n_groups, identity->groups) < 0 ||
	    setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) < 0)
		return -errno;
	return 0;
}

/**
 * dropped() - Is it really so?
 * @identity:	Whom we should be
 *
 * Return: true if it is.
 */
static bool dropped(const struct identity *identity)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;
	struct caps caps;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0 ||
	    caps_get(&caps) < 0)
		return false;
	if (identity->change &&
	    (r != identity->uid || e != r || s != r || gr != identity->gid ||
	     ge != gr || gs != gr))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(caps.word); i++)
		if (caps.word[i].effective || caps.word[i].permitted ||
		    caps.word[i].inheritable)
			return false;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* identity_become() - See drop.h. */
int identity_become(const struct identity *identity)
{
	int r;

	r = bounding_clear();
	if (r == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0,
			    0) < 0)
		r = -errno;
	if (r == 0)
		r = switch_ids(identity);
	if (r == 0)
		r = caps_clear();
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0)
		return ctl_fail("dropping privileges: %s", strerror(-r));
	if (!dropped(identity))
		return ctl_fail("dropping privileges had no effect");
	return CTL_DONE;
}

/**
 * find_gid() - The gid that a name or number stands for
 * @group:	Name or number
 * @ret:	The gid
 *
 * Return: 0 or -EINVAL.
 */
static int find_gid(const char *group, gid_t *ret)
{
	const struct group *gr;
	uint64_t n;

	if (str_u64(group, 10, UINT32_MAX - 1, &n) == 0) {
		*ret = (gid_t)n;
		return 0;
	}
	gr = getgrnam(group);
	if (!gr)
		return -EINVAL;
	*ret = gr->gr_gid;
	return 0;
}

/**
 * identity_gid() - Find the gid for a uid
 * @group:	Name or number; NULL for the user's own
 * @identity:	Its uid is known
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int identity_gid(const char *group, struct identity *identity)
{
	const struct passwd *pw;

	if (group) {
		if (find_gid(group, &identity->gid) < 0)
			return ctl_usage("there is no group '%s'", group);
		return CTL_DONE;
	}
	pw = getpwuid(identity->uid);
	if (!pw)
		return ctl_usage("uid %u has no entry in the user database: "
				 "say --gid too", identity->uid);
	identity->gid = pw->pw_gid;
	return CTL_DONE;
}

/* identity_find() - See drop.h. */
int identity_find(const char *user, const char *group, bool keep_kvm,
		  struct identity *ret)
{
	struct identity identity = { .uid = geteuid(), .gid = getegid() };

	if (!user && (group || keep_kvm))
		return ctl_usage("--gid and --keep-kvm go with --uid");
	if (user) {
		if (ctl_uid(user, &identity.uid) < 0)
			return ctl_usage("there is no user '%s'", user);
		if (geteuid() != 0)
			return ctl_fail("must be root to run a command as "
					"another user (--uid); to claim a "
					"lease that was offered to you: run "
					"--lease NAME");
		identity.change = true;
		if (identity_gid(group, &identity))
			return CTL_USAGE;
	}
	if (keep_kvm) {
		if (find_gid("kvm", &identity.groups[0]) < 0)
			return ctl_usage("--keep-kvm: there is no group 'kvm'");
		identity.n_groups = 1;
	}
	*ret = identity;
	return CTL_DONE;
}
