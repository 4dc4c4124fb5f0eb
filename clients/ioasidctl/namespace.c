/* SPDX-License-Identifier: Apache-2.0
 *
 * namespace.c - device nodes for one process and what it starts
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/namespace.h"

#define FOLDER "/dev/vfio"

/* Of the container node, fixed: misc devices and VFIO_MINOR of <linux/miscdevice.h>
 */
#define CONTAINER_MAJOR 10
#define CONTAINER_MINOR 196

/**
 * make_folder() - Put an empty folder in the place of /dev/vfio, for us alone
 *
 * What is mounted on the host later is seen, but for below that folder.
 *
 * Return: 0 or -errno.
 */
static int make_folder(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* Else what is mounted here would be mounted on the host, too. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("ioasid", FOLDER, "tmpfs", MS_NOSUID | MS_NOEXEC,
		  "mode=0755,size=64k") < 0 ||
	    mount(NULL, FOLDER, NULL, MS_PRIVATE, NULL) < 0)
		return -errno;
	return 0;
}

/**
 * make_node() - Make a node
 * @path:	Below FOLDER
 * @mode:	Its permissions
 * @number:	Its device
 * @uid:	Whose it is to be
 * @gid:	Likewise
 *
 * Return: 0 or -errno.
 */
static int make_node(const char *path, mode_t mode, dev_t number, uid_t uid,
		     gid_t gid)
{
	if (mknod(path, S_IFCHR | mode, number) < 0 ||
	    chmod(path, mode) < 0 || /* whatever the umask is */
	    chown(path, uid, gid) < 0)
		return -errno;
	return 0;
}

/**
 * path_fits() - Is a node where nodes of groups are?
 * @path:	As ioasidd has it
 */
static bool path_fits(const char *path)
{
	const char *name = str_starts(path, FOLDER "/");

	return name && *name && !strchr(name, '/') && !str_eq(name, "..") &&
	       !str_eq(name, ".") && !str_eq(name, "vfio");
}

/* namespace_make() - See namespace.h. */
int namespace_make(const Ioasid__V1__Lease *lease, uid_t uid, gid_t gid)
{
	int r;

	if (!lease->n_nodes)
		return CTL_DONE;
	r = make_folder();
	if (r < 0)
		return ctl_fail("a /dev/vfio of its own for the command: %s",
				strerror(-r));
	r = make_node(FOLDER "/vfio", 0666,
		      makedev(CONTAINER_MAJOR, CONTAINER_MINOR), 0, 0);
	for (size_t i = 0; i < lease->n_nodes && r == 0; i++) {
		const Ioasid__V1__Node *node = lease->nodes[i];

		if (!path_fits(node->path))
			return ctl_fail("%s: '%s' is no node of a group",
					lease->name, node->path);
		r = make_node(node->path, 0600,
			      makedev(node->major, node->minor), uid, gid);
		if (r < 0)
			return ctl_fail("%s: %s", node->path, strerror(-r));
	}
	return r < 0 ? ctl_fail(FOLDER "/vfio: %s", strerror(-r)) : CTL_DONE;
}

/* namespace_fits() - See namespace.h. */
bool namespace_fits(const Ioasid__V1__Lease *made,
		    const struct ioasid_lease *claimed)
{
	if (made->n_nodes != claimed->n_nodes)
		return false;
	for (size_t i = 0; i < made->n_nodes; i++)
		if (!str_eq(made->nodes[i]->path, claimed->nodes[i].path) ||
		    made->nodes[i]->major != claimed->nodes[i].major ||
		    made->nodes[i]->minor != claimed->nodes[i].minor)
			return false;
	return true;
}

/* namespace_hide() - See namespace.h. */
int namespace_hide(void)
{
	/* It is so already, unless our uid was the new one before. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return ctl_fail("PR_SET_DUMPABLE has no effect");
	return CTL_DONE;
}
