/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - users and groups by name
 *
 * Apart from all that includes the model: there, too, is a struct group.
 */
#include "run/names.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "base/str.h"

/* names_number() - The number of a user or group */
int names_number(const char *kind, const char *name, uint32_t *ret)
{
	const struct passwd *user;
	const struct group *group;

	if (str_eq(kind, "uid")) {
		user = getpwnam(name);
		if (!user)
			return -ENOENT;
		*ret = user->pw_uid;
		return 0;
	}
	group = getgrnam(name);
	if (!group)
		return -ENOENT;
	*ret = group->gr_gid;
	return 0;
}
