/* SPDX-License-Identifier: Apache-2.0
 *
 * node.c - nodes of groups, /dev/vfio/<number>: which it is, who may open it
 */
#include "kernel/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/sysfs.h"

/* node_find() - See node.h. */
int node_find(int sysfs, const char *folder, int group,
	      struct kernel_node *ret, struct error *err)
{
	unsigned int major = 0, minor = 0;
	char path[64], text[32];
	int r;

	(void)str_format(path, sizeof(path), "class/vfio/%d/dev", group);
	r = sysfs_text(sysfs, path, text, sizeof(text));
	if (r == 0 && sscanf(text, "%u:%u", &major, &minor) != 2)
		r = -ENOENT;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_NO_NODE,
				 "group %d has no node below %s: %m", group,
				 folder);
	ret->number = makedev(major, minor);
	(void)str_format(ret->path, sizeof(ret->path), "%s/%d", folder, group);
	return 0;
}

/**
 * reach() - Open a node by path, if it is the one that is meant
 * @ret_fd:	It, O_PATH
 * @ret_st:	What it is
 * @ret_link:	The name by which calls that take a path reach it
 *
 * Return: 0; -ENOENT: it is not there, or another.
 */
static int reach(const struct kernel_node *node, int *ret_fd,
		 struct stat *ret_st, char ret_link[32], struct error *err)
{
	_cleanup_fd_ int fd = -1;

	fd = open(node->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_NO_NODE,
				 "open '%s': %m", node->path);
	if (fstat(fd, ret_st) < 0 || !S_ISCHR(ret_st->st_mode) ||
	    ret_st->st_rdev != node->number)
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_NODE,
				 "'%s' is not the device %u:%u", node->path,
				 major(node->number), minor(node->number));
	(void)str_format(ret_link, 32, "/proc/self/fd/%d", fd);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/**
 * failed() - Say that a list could not be read or written
 * @r:		-errno
 * @what:	"read", "set"
 *
 * Return: @r.
 */
static int failed(const struct kernel_node *node, int r, const char *what,
		  struct error *err)
{
	return error_set(err, r, r == -EOPNOTSUPP ? ERROR_KERNEL_NO_ACL :
						    ERROR_KERNEL_SYSTEM,
			 "%s who may open '%s': %m", what, node->path);
}

/* node_get_acl() - See node.h. */
int node_get_acl(const struct kernel_node *node, struct acl *ret,
		 struct error *err)
{
	struct acl acl = { .size = 0 };
	_cleanup_fd_ int fd = -1;
	struct stat st;
	char link[32];
	ssize_t n;
	int r;

	r = reach(node, &fd, &st, link, err);
	if (r < 0)
		return r;
	n = getxattr(link, ACL_NAME, acl.bytes, sizeof(acl.bytes));
	if (n < 0 && errno != ENODATA)
		return failed(node, -errno, "read", err);
	if (n < 0)
		acl_of_mode(st.st_mode, &acl);
	else
		acl.size = (size_t)n;
	if (!acl_valid(&acl))
		return failed(node, -EBADMSG, "understand", err);

	*ret = acl;
	return 0;
}

/* node_set_acl() - See node.h. */
int node_set_acl(const struct kernel_node *node, const struct acl *acl,
		 struct error *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	char link[32];
	int r;

	r = reach(node, &fd, &st, link, err);
	if (r < 0)
		return r;
	/* One without users, groups or a mask becomes the mode, and no list. */
	if (setxattr(link, ACL_NAME, acl->bytes, acl->size, 0) < 0)
		return failed(node, -errno, "set", err);
	return 0;
}
