/* SPDX-License-Identifier: Apache-2.0
 *
 * users.c - does anything on the host use a PCI function?
 *
 * DOC: Theory of Operation
 *
 * First the function's folder in sysfs is walked; every folder in it with a
 * link "subsystem" is a device, every device with a file "dev" has a node.
 * Links are not followed, with one exception: an NVMe namespace that may have
 * several paths has its disk elsewhere, and only a hidden path below the
 * controller. Then each kind of user is looked for by device number or name.
 */
#include "kernel/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/holders.h"
#include "kernel/inventory.h"
#include "kernel/netdev.h"
#include "kernel/sysfs.h"

/* Deep enough for a disk behind a hub behind a hub; a bound, as every walk
 * needs one.
 */
#define DEPTH_MAX 24

#define MOUNTINFO_MAX (4 << 20)

/**
 * struct disk - A block device of the function
 * @number:	Its device number
 * @name:	Its name in sysfs, "nvme0n1p1"; '!' stands for '/'
 */
struct disk {
	dev_t number;
	char name[64];
};

/**
 * struct search - What is known so far
 * @sysfs:	An open sysfs; borrowed
 * @proc:	An open procfs; borrowed
 * @disks:	Block devices, partitions too
 * @nodes:	Everything with a node
 * @devices:	Names of all devices, for network interfaces' parents
 * @found:	The users
 * @n_found:	How many
 */
struct search {
	int sysfs, proc;
	struct disk *disks;
	size_t n_disks;
	struct nodes nodes;
	struct strv devices;
	struct error found;
	size_t n_found;
};

/**
 * search_deinit() - Free what a search holds
 */
static void search_deinit(struct search *s)
{
	free(s->disks);
	nodes_deinit(&s->nodes);
	strv_deinit(&s->devices);
}

/**
 * add_disk() - Note a block device
 *
 * Return: 0 or -ENOMEM.
 */
static int add_disk(struct search *s, dev_t number, const char *name)
{
	struct disk *disks;

	disks = reallocarray(s->disks, s->n_disks + 1, sizeof(*disks));
	if (!disks)
		return -ENOMEM;
	s->disks = disks;
	disks[s->n_disks] = (struct disk){ .number = number };
	(void)str_copy(disks[s->n_disks].name, sizeof(disks->name), name);
	s->n_disks++;

	return 0;
}

/* --- the walk --- */

static int walk(struct search *s, int dir, const char *name, int depth);

/**
 * walk_head() - Walk the disk of an NVMe namespace with several paths
 * @s:		The search
 * @name:	Name of the hidden path, "nvme0c1n2": subsystem 0, controller
 *		1, namespace 2. The disk is "nvme0n2".
 * @depth:	So far
 *
 * Return: 0 or -ENOMEM.
 */
static int walk_head(struct search *s, const char *name, int depth)
{
	unsigned int subsystem, controller, space;
	_cleanup_fd_ int dir = -1;
	char path[64], head[48];
	int used = 0;

	if (sscanf(name, "nvme%uc%un%u%n", &subsystem, &controller, &space,
		   &used) != 3 || name[used])
		return 0;
	(void)str_format(head, sizeof(head), "nvme%un%u", subsystem, space);
	(void)str_format(path, sizeof(path), "class/block/%s", head);
	dir = sysfs_open(s->sysfs, path);
	if (dir < 0)
		return 0;

	return walk(s, dir, head, depth + 1);
}

/**
 * take_device() - Note a device that was met on the walk
 * @s:		The search
 * @dir:	Its folder
 * @name:	Its name
 * @subsystem:	What it is
 * @depth:	So far
 *
 * Return: 0 or -ENOMEM.
 */
static int take_device(struct search *s, int dir, const char *name,
		       const char *subsystem, int depth)
{
	bool block = str_eq(subsystem, "block");
	unsigned int major, minor;
	char text[64];
	dev_t number;
	int r;

	r = strv_add(&s->devices, name);
	if (r < 0)
		return r;
	if (sysfs_text(dir, "dev", text, sizeof(text)) < 0 ||
	    sscanf(text, "%u:%u", &major, &minor) != 2)
		return block ? walk_head(s, name, depth) : 0;

	number = makedev(major, minor);
	(void)str_format(text, sizeof(text), "%s %s", subsystem, name);
	r = nodes_add(&s->nodes, number, block, text);
	if (!r && block)
		r = add_disk(s, number, name);

	return r;
}

/**
 * walk() - Walk a folder of sysfs
 * @s:		What is found goes here
 * @dir:	The folder
 * @name:	Its name
 * @depth:	So far
 *
 * Another PCI function below this one (it would be a bridge) is not looked at:
 * it is somebody else.
 *
 * Return: 0 or -ENOMEM.
 */
static int walk(struct search *s, int dir, const char *name, int depth)
{
	_cleanup_dir_ DIR *entries = NULL;
	char subsystem[64];
	struct dirent *e;
	int r;

	if (depth > DEPTH_MAX)
		return 0;
	if (!sysfs_link(dir, "subsystem", subsystem, sizeof(subsystem))) {
		if (depth && str_eq(subsystem, "pci"))
			return 0;
		r = take_device(s, dir, name, subsystem, depth);
		if (r < 0)
			return r;
	}
	if (sysfs_dir(dir, ".", &entries) < 0)
		return 0;

	while ((e = readdir(entries))) {
		_cleanup_fd_ int sub = -1;

		/* sysfs knows the type; links are not followed. */
		if (e->d_name[0] == '.' ||
		    (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		sub = openat(dir, e->d_name, O_PATH | O_DIRECTORY |
			     O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			continue;
		r = walk(s, sub, e->d_name, depth + 1);
		if (r < 0)
			return r;
	}

	return 0;
}

/* --- the kinds of users --- */

/**
 * find_disk() - Which of the disks has a number?
 *
 * Return: it; NULL if none.
 */
static struct disk *find_disk(struct search *s, dev_t number)
{
	for (size_t i = 0; i < s->n_disks; i++)
		if (s->disks[i].number == number)
			return &s->disks[i];

	return NULL;
}

/**
 * unescape() - Turn \040 and the like of mountinfo back, in place
 */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		unsigned int c;

		if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*to = (char)c;
			s += strspn(s + 1, "01234567") < 3
				? strspn(s + 1, "01234567") : 3;
		} else {
			*to = *s;
		}
	}
	*to = '\0';
}

/**
 * mount_number() - Which device does a line of mountinfo mount?
 * @line:	The line; changed
 * @ret_point:	Where it is mounted
 * @ret_source:	The source, as mount(8) was told; may be NULL
 *
 * Source: proc_pid_mountinfo(5): "36 35 98:0 /part /point options - type
 * source options". File systems such as btrfs show a number of their own, so
 * the source is given too.
 *
 * Return: the number; 0 if the line is none.
 */
static dev_t mount_number(char *line, char **ret_point, char **ret_source)
{
	char *rest = line, *field[5] = { 0 }, *end;
	unsigned int major, minor;

	for (size_t i = 0; i < ARRAY_SIZE(field); i++)
		field[i] = strsep(&rest, " ");
	if (!field[4] || sscanf(field[2], "%u:%u", &major, &minor) != 2)
		return 0;
	unescape(field[4]);
	*ret_point = field[4];

	*ret_source = NULL;
	end = rest ? strstr(rest, " - ") : NULL;
	if (end) {
		end += 3;
		(void)strsep(&end, " "); /* type */
		*ret_source = strsep(&end, " ");
	}
	if (*ret_source)
		unescape(*ret_source);

	return makedev(major, minor);
}

/**
 * block_number() - Which block device does a path name?
 *
 * Return: its number; 0 if it is none.
 */
static dev_t block_number(const char *path)
{
	struct stat st;

	if (!path || path[0] != '/' || stat(path, &st) ||
	    !S_ISBLK(st.st_mode))
		return 0;

	return st.st_rdev;
}

/* users_mounts() - Which mounts of a mountinfo are of some disks? */
int users_mounts(char *text, const dev_t *disks, size_t n, const char *where,
		 struct error *found)
{
	char *rest = text, *line;
	int count = 0;

	while ((line = strsep(&rest, "\n"))) {
		char *point, *source;
		dev_t number = mount_number(line, &point, &source), other;

		if (!number)
			continue;
		/* Major 0: a number that stands for no device. */
		other = major(number) ? 0 : block_number(source);
		for (size_t i = 0; i < n; i++) {
			if (disks[i] != number && disks[i] != other)
				continue;
			error_cause(found, "mount", point, "%s is mounted%s%s",
				    source ? source : "",
				    where[0] ? " in mount namespace " : "",
				    where);
			count++;
			break;
		}
	}

	return count;
}

/**
 * namespace_of() - Which mounts does a process see?
 * @pid:	/proc/<pid>
 * @ret:	Its mount namespace, and its root where that is another one:
 *		what lies outside of a chroot is not in its mountinfo
 * @size:	Room there
 *
 * Return: true on success.
 */
static bool namespace_of(int pid, char *ret, size_t size)
{
	char ns[64], root[256];
	ssize_t n;

	if (sysfs_link(pid, "ns/mnt", ns, sizeof(ns)) < 0)
		return false;
	n = readlinkat(pid, "root", root, sizeof(root) - 1);
	if (n < 0)
		return false;
	root[n] = '\0';

	return str_format(ret, size, "%s%s", ns,
			  str_eq(root, "/") ? "" : root);
}

/**
 * find_mounts() - Look for mounts in every mount namespace of a process
 * @s:		The search
 * @err:	Filled on failure
 *
 * A namespace is read once, however many processes are in it.
 *
 * Return: 0; -ENOMEM; -errno if procfs cannot be read.
 */
static int find_mounts(struct search *s, struct error *err)
{
	_cleanup_free_ dev_t *numbers = calloc(s->n_disks + 1, sizeof(dev_t));
	_cleanup_free_ char *text = malloc(MOUNTINFO_MAX);
	_cleanup_strv_ struct strv seen = STRV_NULL;
	char ours[320] = "", where[320];
	_cleanup_dir_ DIR *dir = NULL;
	_cleanup_fd_ int self = -1;
	const char *name;
	int r;

	if (!numbers || !text)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory to look for mounts");
	for (size_t i = 0; i < s->n_disks; i++)
		numbers[i] = s->disks[i].number;
	r = sysfs_dir(s->proc, ".", &dir);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_PROCESS,
				 "read procfs: %m");
	self = sysfs_open(s->proc, "self");
	if (self >= 0)
		(void)namespace_of(self, ours, sizeof(ours));

	while ((name = sysfs_next(dir))) {
		_cleanup_fd_ int pid = -1;
		ssize_t n;

		if (name[0] < '0' || name[0] > '9')
			continue;
		pid = sysfs_open(dirfd(dir), name);
		if (pid < 0 || !namespace_of(pid, where, sizeof(where)) ||
		    strv_has(&seen, where))
			continue;
		n = fd_read_file(pid, "mountinfo", text, MOUNTINFO_MAX);
		if (n == -EFBIG)
			return error_set(err, (int)n, ERROR_KERNEL_PROCESS,
					 "read the mounts of process %s: %m",
					 name);
		if (n <= 0)
			continue;
		if (strv_add(&seen, where))
			return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory to look for mounts");
		s->n_found += (size_t)users_mounts(
			text, numbers, s->n_disks,
			str_eq(where, ours) ? "" : where, &s->found);
	}

	return 0;
}

/**
 * find_swap() - Look for swap on the disks
 * @s:		The search
 *
 * A swap file is on a file system that is mounted, and found as that. Source:
 * proc_swaps(5), the path in the first field.
 */
static void find_swap(struct search *s)
{
	char text[16384], *rest = text, *line;

	if (fd_read_file(s->proc, "swaps", text, sizeof(text)) < 0)
		return;

	while ((line = strsep(&rest, "\n"))) {
		char *path = strsep(&line, " \t");
		dev_t number;

		unescape(path);
		number = block_number(path);
		if (!number || !find_disk(s, number))
			continue;
		error_cause(&s->found, "swap", path, "is swapped to");
		s->n_found++;
	}
}

/**
 * find_holders() - Look for devices that are made of the disks
 * @s:		The search
 *
 * Source: /sys/class/block/<disk>/holders, with dm, md, bcache and others.
 */
static void find_holders(struct search *s)
{
	for (size_t i = 0; i < s->n_disks; i++) {
		const struct disk *disk = &s->disks[i];
		_cleanup_dir_ DIR *dir = NULL;
		const char *name;
		char path[128];

		if (!str_format(path, sizeof(path), "class/block/%s/holders",
				disk->name) ||
		    sysfs_dir(s->sysfs, path, &dir) < 0)
			continue;
		while ((name = sysfs_next(dir))) {
			char called[128];

			(void)str_format(path, sizeof(path),
					 "class/block/%s/dm/name", name);
			if (sysfs_text(s->sysfs, path, called,
				       sizeof(called)) < 0)
				called[0] = '\0';
			error_cause(&s->found, "holder", name,
				    "is made of %s%s%s", disk->name,
				    called[0] ? ", is called " : "", called);
			s->n_found++;
		}
	}
}

/**
 * find_loops() - Look for loop devices that are made of the disks
 * @s:		The search
 *
 * A loop device is no holder of the disk that it is made of. Source:
 * /sys/class/block/loopN/loop/backing_file.
 */
static void find_loops(struct search *s)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;

	if (!s->n_disks || sysfs_dir(s->sysfs, "class/block", &dir) < 0)
		return;

	while ((name = sysfs_next(dir))) {
		char path[280], file[512];
		dev_t number;

		if (!str_starts(name, "loop") ||
		    !str_format(path, sizeof(path), "%s/loop/backing_file",
				name) ||
		    sysfs_text(dirfd(dir), path, file, sizeof(file)) < 0)
			continue;
		number = block_number(file);
		if (!number || !find_disk(s, number))
			continue;
		error_cause(&s->found, "holder", name, "is made of %s", file);
		s->n_found++;
	}
}

/**
 * open_block() - Open a block device so that nobody else may claim it
 * @disk:	Which
 *
 * Its node in /dev may be missing or another one, as nodes are only files; then
 * one of our own is made, opened and removed, in /dev too: hardly any other
 * file system is mounted so that a node in it works. Nothing is read, and
 * closing what was not open for writing tells udev nothing.
 *
 * Return: a descriptor; -EBUSY: it is claimed; other open(2) errors.
 */
static int open_block(const struct disk *disk)
{
	int flags = O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC;
	char path[128], folder[] = "/dev/ioasidd-XXXXXX";
	int fd, r;

	(void)str_format(path, sizeof(path), "/dev/%s", disk->name);
	for (char *p = strchr(path, '!'); p; p = strchr(p, '!'))
		*p = '/';
	if (block_number(path) == disk->number) {
		fd = open(path, flags);
		return fd < 0 ? -errno : fd;
	}

	if (!mkdtemp(folder))
		return -errno;
	(void)str_format(path, sizeof(path), "%s/node", folder);
	if (mknod(path, S_IFBLK | 0600, disk->number)) {
		r = -errno;
	} else {
		fd = open(path, flags);
		r = fd < 0 ? -errno : fd;
		(void)unlink(path); /* nobody else knows of it */
	}
	(void)rmdir(folder);

	return r;
}

/**
 * find_claims() - Look for disks that are claimed, by nobody seen so far
 * @s:		The search, everything else but find_nodes() done
 *
 * What is mounted, swapped to or held is claimed, and so is a disk of which a
 * partition is. So this only tells something new where nothing was found: a
 * mount in a namespace that no process is in, or a program that claims.
 */
static void find_claims(struct search *s)
{
	if (s->n_found)
		return;

	for (size_t i = 0; i < s->n_disks; i++) {
		_cleanup_fd_ int fd = open_block(&s->disks[i]);

		if (fd != -EBUSY)
			continue;
		error_cause(&s->found, "block", s->disks[i].name,
			    "is opened exclusively, or mounted in a namespace "
			    "without processes");
		s->n_found++;
	}
}

/**
 * find_vfs() - Look for VFs
 * @s:		The search
 * @dir:	The function's folder
 */
static void find_vfs(struct search *s, int dir)
{
	_cleanup_dir_ DIR *entries = NULL;
	const char *name;

	if (sysfs_dir(dir, ".", &entries) < 0)
		return;

	while ((name = sysfs_next(entries))) {
		char bdf[BDF_SIZE];

		if (!str_starts(name, "virtfn") ||
		    sysfs_link(dir, name, bdf, sizeof(bdf)) < 0)
			continue;
		error_cause(&s->found, "device", bdf, "is a VF of it");
		s->n_found++;
	}
}

/**
 * add_group() - Look for the node of the function's VFIO group, too
 * @sysfs:	An open sysfs
 * @group:	Its number; -1 if none
 * @nodes:	Where to
 *
 * Return: 0 or -ENOMEM.
 */
static int add_group(int sysfs, int group, struct nodes *nodes)
{
	static const char *const forms[] = { "%d", "noiommu-%d" };
	unsigned int major, minor;
	char path[64], name[64], text[32];

	if (group < 0)
		return 0;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *prefix = i ? "noiommu-" : "";
		int r;

		(void)str_format(path, sizeof(path), "class/vfio/%s%d/dev",
				 prefix, group);
		if (sysfs_text(sysfs, path, text, sizeof(text)) < 0 ||
		    sscanf(text, "%u:%u", &major, &minor) != 2)
			continue;
		(void)str_format(name, sizeof(name), "/dev/vfio/%s%d", prefix,
				 group);
		r = nodes_add(nodes, makedev(major, minor), false, name);
		if (r < 0)
			return r;
	}

	return 0;
}

/**
 * find_all() - Walk, then look for each kind of user
 * @s:		The search
 * @dev:	The function
 * @err:	Filled on failure
 *
 * Return: 0 or -errno; what was found is in @s.
 */
static int find_all(struct search *s, const struct kernel_device *dev,
		    struct error *err)
{
	_cleanup_fd_ int dir = -1;
	char path[64];
	int r;

	(void)str_format(path, sizeof(path), "bus/pci/devices/%s", dev->bdf);
	dir = sysfs_open(s->sysfs, path);
	if (dir < 0)
		return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
				 "there is no PCI function %s", dev->bdf);
	r = walk(s, dir, dev->bdf, 0);
	if (!r)
		r = add_group(s->sysfs, dev->group, &s->nodes);
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "no memory to look for users of %s",
				 dev->bdf);
	(void)str_copy(s->nodes.bdf, sizeof(s->nodes.bdf), dev->bdf);

	find_vfs(s, dir);
	find_swap(s);
	find_holders(s);
	find_loops(s);
	r = s->n_disks ? find_mounts(s, err) : 0;
	if (r < 0)
		return r;
	find_claims(s);
	r = netdev_users(s->proc, &s->devices, &s->found, err);
	if (r < 0)
		return r;
	s->n_found += (size_t)r;
	r = holders_find(s->proc, &s->nodes, &s->found, err);
	if (r < 0)
		return r;
	s->n_found += (size_t)r;

	return 0;
}

/* users_find() - Does anything on the host use a function? */
int users_find(int sysfs, int proc, const char *bdf, struct error *err)
{
	__attribute__((cleanup(search_deinit))) struct search s = {
		.sysfs = sysfs,
		.proc = proc,
	};
	struct kernel_device dev;
	int r;

	r = inventory_device(sysfs, bdf, &dev, err);
	if (r < 0)
		return r;
	error_set(&s.found, -EBUSY, ERROR_DEVICE_IN_USE, "%s is in use", bdf);
	r = find_all(&s, &dev, err);
	if (r < 0)
		return r;
	if (!s.n_found)
		return 0;

	if (err)
		*err = s.found;
	return -EBUSY;
}

/* users_cdev_holders() - Which processes have a function's VFIO device? */
int users_cdev_holders(int sysfs, int proc, const struct kernel_device *dev,
		       struct error *err)
{
	_cleanup_nodes_ struct nodes nodes = NODES_NULL;
	struct error found;
	char name[64];
	int r = 0;

	(void)str_copy(nodes.bdf, sizeof(nodes.bdf), dev->bdf);
	(void)str_format(name, sizeof(name), "/dev/vfio/devices/%s",
			 dev->cdev_name);
	if (dev->cdev)
		r = nodes_add(&nodes, dev->cdev, false, name);
	if (!r)
		r = add_group(sysfs, dev->group, &nodes);
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "no memory to look for holders of %s",
				 dev->bdf);

	error_set(&found, -EBUSY, ERROR_DEVICE_HELD,
		  "%s is held by another process", dev->bdf);
	r = holders_find(proc, &nodes, &found, err);
	if (r <= 0)
		return r;

	if (err)
		*err = found;
	return -EBUSY;
}

/**
 * is_known() - Is a cause among those that were found?
 */
static bool is_known(const struct error *found, const struct error_cause *cause)
{
	for (size_t i = 0; i < found->n_causes; i++)
		if (str_eq(found->causes[i].name, cause->name) &&
		    str_eq(found->causes[i].detail, cause->detail))
			return true;
	return false;
}

/* users_group_holders() - Which processes have a VFIO group, or parts of it? */
int users_group_holders(int sysfs, int proc, int group, struct error *err)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct error found, held;
	const char *name;
	char path[64];

	error_set(&found, -EBUSY, ERROR_DEVICE_HELD,
		  "VFIO group %d, or a device of it, is held by somebody else",
		  group);
	(void)str_format(path, sizeof(path), "kernel/iommu_groups/%d/devices",
			 group);
	(void)sysfs_dir(sysfs, path, &dir); /* then nobody is named */

	while (dir && (name = sysfs_next(dir))) {
		struct kernel_device dev;

		if (inventory_device(sysfs, name, &dev, NULL) < 0 ||
		    users_cdev_holders(sysfs, proc, &dev, &held) != -EBUSY)
			continue;
		for (size_t i = 0; i < held.n_causes; i++)
			if (!is_known(&found, &held.causes[i]))
				error_cause(&found, held.causes[i].kind,
					    held.causes[i].name, "%s",
					    held.causes[i].detail);
	}
	if (err)
		*err = found;
	return -EBUSY;
}
