/* SPDX-License-Identifier: Apache-2.0
 *
 * namespace.h - device nodes for one process and what it starts
 */
#ifndef IOASIDCTL_NAMESPACE_H
#define IOASIDCTL_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "ioasid/v1/lease.pb-c.h"
#include "libioasid/ioasid.h"

/**
 * namespace_make() - Have nodes of one's own, which nobody else can see
 * @lease:	Whose nodes; nothing is done if it has none
 * @uid:	Who is to open them
 * @gid:	Likewise
 *
 * In a mount namespace /dev/vfio becomes a folder with `vfio` and the nodes of
 * this lease, and no other. All else of the file system goes on to be shared with
 * the host, and what is mounted there later is seen. There is no way back: the
 * caller becomes the command, or exits.
 *
 * Return: CTL_DONE; CTL_FAILED, and it has been said why.
 */
int namespace_make(const Ioasid__V1__Lease *lease, uid_t uid, gid_t gid);

/* namespace_fits() - Are the nodes that were claimed the ones that were made? */
bool namespace_fits(const Ioasid__V1__Lease *made,
		    const struct ioasid_lease *claimed);

/**
 * namespace_hide() - See that nobody of the new uid gets at them by us
 *
 * After the uid was changed. /proc/<pid>/root of a process shows what it sees to
 * whom may trace it, and that is its uid: but not while the process is not
 * dumpable, as one is that has changed its uid, until exec. What it executes opens
 * the groups, and who comes after that finds them in use.
 *
 * Return: CTL_DONE; CTL_FAILED, and it has been said why.
 */
int namespace_hide(void);

#endif
