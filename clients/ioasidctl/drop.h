/* SPDX-License-Identifier: Apache-2.0
 *
 * drop.h - become somebody else, for good and with no privilege
 */
#ifndef IOASIDCTL_DROP_H
#define IOASIDCTL_DROP_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct identity - Whom to become
 * @change:	Become somebody else; otherwise only privileges are dropped
 * @uid:	The uid, valid in any case
 * @gid:	The gid, with @change
 * @n_groups:	How many supplementary groups, with @change: 0 or 1
 * @groups:	The groups
 */
struct identity {
	bool change;
	uid_t uid;
	gid_t gid;
	size_t n_groups;
	gid_t groups[1];
};

/**
 * identity_find() - Find out whom to become
 * @user:	Name or number; NULL to stay who we are
 * @group:	Name or number; NULL for the user's own
 * @keep_kvm:	Stay able to open /dev/kvm: keep the group "kvm"
 * @ret:	Whom
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int identity_find(const char *user, const char *group, bool keep_kvm,
		  struct identity *ret);

/**
 * identity_become() - Become it, without any capability, and never more
 * @identity:	Whom
 *
 * Bounding, ambient, permitted, effective and inheritable sets are emptied and
 * no_new_privs is set, so that no exec gives anything back. There is no way
 * back on failure: the caller exits.
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
int identity_become(const struct identity *identity);

#endif
