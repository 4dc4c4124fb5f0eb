/* SPDX-License-Identifier: Apache-2.0
 *
 * holders.c - which processes have device nodes open or mapped, or sockets
 */
#include "kernel/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/sysfs.h"

/**
 * add() - Look for one more
 * @nodes:	Where it is added
 * @node:	It, without its name
 * @name:	For messages
 *
 * Return: 0 or -ENOMEM.
 */
static int add(struct nodes *nodes, const struct node *node, const char *name)
{
	struct node *items;

	items = reallocarray(nodes->items, nodes->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	nodes->items = items;
	items[nodes->n] = *node;
	(void)str_copy(items[nodes->n].name, sizeof(items->name), name);
	nodes->n++;

	return 0;
}

/* nodes_add() - Look for one more node */
int nodes_add(struct nodes *nodes, dev_t number, bool block, const char *name)
{
	const struct node node = { .number = number, .block = block };

	return add(nodes, &node, name);
}

/* nodes_add_socket() - Look for one more socket */
int nodes_add_socket(struct nodes *nodes, ino_t inode, const char *name)
{
	const struct node node = { .socket = inode };

	return add(nodes, &node, name);
}

/* nodes_deinit() - Forget all */
void nodes_deinit(struct nodes *nodes)
{
	free(nodes->items);
	*nodes = NODES_NULL;
}

/**
 * is_node() - Is it what is looked for?
 * @node:	That
 * @st:		A character or block device, or a socket
 */
static bool is_node(const struct node *node, const struct statx *st)
{
	if (S_ISSOCK(st->stx_mode))
		return node->socket && node->socket == st->stx_ino;

	return !node->socket && node->block == S_ISBLK(st->stx_mode) &&
	       node->number == makedev(st->stx_rdev_major, st->stx_rdev_minor);
}

/**
 * which() - Which of the nodes does a link of procfs lead to?
 * @dirfd:	/proc/<pid>/fd or map_files
 * @link:	The link in it
 * @nodes:	What is looked for
 *
 * No file system is asked for news (AT_STATX_DONT_SYNC): one on a network or in
 * user space that does not answer must not hold us up.
 *
 * Return: the node; NULL if it is none of them, or has gone.
 */
static const struct node *which(int dirfd, const char *link,
				const struct nodes *nodes)
{
	struct statx st;

	if (statx(dirfd, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_INO, &st))
		return NULL;
	if (!S_ISCHR(st.stx_mode) && !S_ISBLK(st.stx_mode) &&
	    !S_ISSOCK(st.stx_mode))
		return NULL;

	for (size_t i = 0; i < nodes->n; i++)
		if (is_node(&nodes->items[i], &st))
			return &nodes->items[i];

	return NULL;
}

/**
 * find_info() - Find a line of a descriptor's fdinfo
 * @pid:	/proc/<pid>
 * @fd:		The descriptor's number
 * @key:	"flags:"
 * @buf:	What follows it
 * @size:	Room there
 *
 * Return: true if it is there.
 */
static bool find_info(int pid, const char *fd, const char *key, char *buf,
		      size_t size)
{
	char path[64], text[4096], *rest = text, *line;
	ssize_t n;

	if (!str_format(path, sizeof(path), "fdinfo/%s", fd))
		return false;
	n = fd_read_file(pid, path, text, sizeof(text));
	if (n < 0 && n != -EFBIG)
		return false;

	while ((line = strsep(&rest, "\n"))) {
		const char *value = str_starts(line, key);

		if (value)
			return str_copy(buf, size,
					value + strspn(value, " \t"));
	}

	return false;
}

/**
 * is_reader() - Can nothing be written through a descriptor?
 *
 * Source: flags in fdinfo, octal, see proc(5).
 */
static bool is_reader(int pid, const char *fd)
{
	char text[32];

	if (!find_info(pid, fd, "flags:", text, sizeof(text)))
		return false;

	return (strtoul(text, NULL, 8) & O_ACCMODE) == O_RDONLY;
}

/* holders_function() - Which function is a descriptor of ours a device of? */
int holders_function(int proc, int fd, char ret[BDF_SIZE])
{
	_cleanup_fd_ int self = sysfs_open(proc, "self");
	char text[512], number[16];
	const char *name;

	(void)str_format(number, sizeof(number), "%d", fd);
	if (self < 0 || !find_info(self, number, "vfio-device-syspath:", text,
				   sizeof(text)))
		return -ENODATA;
	name = strrchr(text, '/');
	return name && str_copy(ret, BDF_SIZE, name + 1) ? 0 : -ENODATA;
}

/**
 * is_function() - Is a descriptor a VFIO device of some PCI function?
 * @pid:	/proc/<pid>
 * @fd:		The descriptor's number
 * @bdf:	The function
 *
 * Source: vfio-device-syspath in fdinfo, since Linux 6.17 [read in 7.3, not in
 * 6.12]: the path of the function in sysfs. It is there for what came out of a
 * group, which has no node, and after the node has gone.
 */
static bool is_function(int pid, const char *fd, const char *bdf)
{
	char text[512], path[64], link[64];
	const char *name;
	ssize_t n;

	if (!bdf[0] || !str_format(path, sizeof(path), "fd/%s", fd))
		return false;
	n = readlinkat(pid, path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	if (!strstr(link, "vfio"))
		return false;
	if (!find_info(pid, fd, "vfio-device-syspath:", text, sizeof(text)))
		return false;

	name = strrchr(text, '/');
	return name && str_eq(name + 1, bdf);
}

/**
 * struct hit - What a process was found to hold
 * @nodes:	What is looked for
 * @seen:	For each node, and one for the function: it holds that
 */
struct hit {
	const struct nodes *nodes;
	bool *seen;
};

/**
 * read_fds() - Look at a process's descriptors
 * @pid:	/proc/<pid>
 * @hit:	Marked
 */
static void read_fds(int pid, struct hit *hit)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;

	if (sysfs_dir(pid, "fd", &dir) < 0)
		return;

	while ((name = sysfs_next(dir))) {
		const struct node *node = which(dirfd(dir), name, hit->nodes);

		if (node && !(node->block && is_reader(pid, name)))
			hit->seen[node - hit->nodes->items] = true;
		else if (!node && is_function(pid, name, hit->nodes->bdf))
			hit->seen[hit->nodes->n] = true;
	}
}

/**
 * read_maps() - Look at what a process has mapped
 * @pid:	/proc/<pid>
 * @hit:	Marked
 *
 * A mapping holds on to its file after the descriptor is closed.
 *
 * Not by "maps", which would take half the time: since Linux 6.17 that is read
 * without the lock of the address space, and if the process is in the middle of
 * a change then, the kernel waits for it by trying again, without being
 * preempted (but with CONFIG_PREEMPT_RCU, which Debian's kernel has on amd64
 * alone). A process that waits for the same CPU never goes on: seen of 7.3.4
 * with one CPU, within seconds. What is below map_files is read under the lock.
 */
static void read_maps(int pid, struct hit *hit)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;

	if (sysfs_dir(pid, "map_files", &dir) < 0)
		return;

	while ((name = sysfs_next(dir))) {
		const struct node *node = which(dirfd(dir), name, hit->nodes);

		if (node)
			hit->seen[node - hit->nodes->items] = true;
	}
}

/**
 * told_already() - Has something of the same name been told of the process?
 * @hit:	What it holds
 * @i:		Which is to be told
 */
static bool told_already(const struct hit *hit, size_t i)
{
	const struct node *items = hit->nodes->items;

	for (size_t k = 0; items[i].socket && k < i; k++)
		if (hit->seen[k] && str_eq(items[k].name, items[i].name))
			return true;

	return false;
}

/**
 * report() - Add what a process holds as causes
 * @pid:	Its pid
 * @dir:	/proc/<pid>
 * @hit:	What it holds
 * @found:	Where to
 *
 * Return: how many.
 */
static int report(const char *pid, int dir, const struct hit *hit,
		  struct error *found)
{
	const struct nodes *nodes = hit->nodes;
	char comm[32];
	int n = 0;

	if (sysfs_text(dir, "comm", comm, sizeof(comm)) < 0)
		comm[0] = '\0';

	for (size_t i = 0; i < nodes->n; i++) {
		if (!hit->seen[i] || told_already(hit, i))
			continue;
		error_cause(found, "process", pid, "%s has %s open", comm,
			    nodes->items[i].name);
		n++;
	}
	if (hit->seen[nodes->n] && !n) {
		error_cause(found, "process", pid,
			    "%s has the VFIO device of %s open", comm,
			    nodes->bdf);
		n++;
	}

	return n;
}

/**
 * any_mappable() - Is there one among them that could be mapped?
 * @nodes:	What is looked for
 */
static bool any_mappable(const struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (!nodes->items[i].socket)
			return true;

	return false;
}

/* holders_find() - Which processes but ours hold any of some nodes? */
int holders_find(int proc, const struct nodes *nodes, struct error *found,
		 struct error *err)
{
	_cleanup_free_ bool *seen = calloc(nodes->n + 1, sizeof(*seen));
	struct hit hit = { .nodes = nodes, .seen = seen };
	const bool mappable = any_mappable(nodes);
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r, n = 0;

	if (!seen)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory to look for holders");
	r = sysfs_dir(proc, ".", &dir);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_PROCESS,
				 "read procfs: %m");

	while ((name = sysfs_next(dir))) {
		_cleanup_fd_ int pid = -1;
		uint64_t number;

		if (str_u64(name, 10, INT32_MAX, &number) < 0 ||
		    (pid_t)number == getpid())
			continue;
		pid = sysfs_open(dirfd(dir), name);
		if (pid < 0)
			continue;
		memset(seen, 0, (nodes->n + 1) * sizeof(*seen));
		read_fds(pid, &hit);
		if (mappable) /* hundreds of links a process */
			read_maps(pid, &hit);
		n += report(name, pid, &hit, found);
	}

	return n;
}
