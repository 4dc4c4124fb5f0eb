/* SPDX-License-Identifier: Apache-2.0
 *
 * holders.c - which processes have device nodes open or mapped
 */
#include "kernel/holders.h"

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
#include "kernel/sysfs.h"

/* nodes_add() - Look for one more node */
int nodes_add(struct nodes *nodes, dev_t number, bool block, const char *name)
{
	struct node *items;

	items = reallocarray(nodes->items, nodes->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	nodes->items = items;
	items[nodes->n] = (struct node){ .number = number, .block = block };
	(void)str_copy(items[nodes->n].name, sizeof(items->name), name);
	nodes->n++;

	return 0;
}

/* nodes_deinit() - Forget all */
void nodes_deinit(struct nodes *nodes)
{
	free(nodes->items);
	*nodes = NODES_NULL;
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
	dev_t number;

	if (statx(dirfd, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE, &st))
		return NULL;
	if (!S_ISCHR(st.stx_mode) && !S_ISBLK(st.stx_mode))
		return NULL;

	number = makedev(st.stx_rdev_major, st.stx_rdev_minor);
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->items[i].number == number &&
		    nodes->items[i].block == S_ISBLK(st.stx_mode))
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
 * A mapping holds on to its file after the descriptor is closed. The links of
 * map_files are asked only for mappings of something below a folder "dev", as
 * there are very many mappings: "/dev/uio0" of a chroot, too.
 */
static void read_maps(int pid, struct hit *hit)
{
	int fd = openat(pid, "maps", O_RDONLY | O_CLOEXEC);
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "re");
	char *line = NULL;
	size_t room = 0;

	if (!maps) {
		fd_close(fd);
		return;
	}

	while (getline(&line, &room, maps) > 0) {
		unsigned long start, end;
		const struct node *node;
		char path[64];

		if (!strstr(line, "/dev/") ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		(void)str_format(path, sizeof(path), "map_files/%lx-%lx",
				 start, end);
		node = which(pid, path, hit->nodes);
		if (node)
			hit->seen[node - hit->nodes->items] = true;
	}
	free(line);
	fclose(maps);
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
		if (!hit->seen[i])
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

/* holders_find() - Which processes but ours hold any of some nodes? */
int holders_find(int proc, const struct nodes *nodes, struct error *found,
		 struct error *err)
{
	_cleanup_free_ bool *seen = calloc(nodes->n + 1, sizeof(*seen));
	struct hit hit = { .nodes = nodes, .seen = seen };
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
		if (nodes->n) /* thousands of lines a process */
			read_maps(pid, &hit);
		n += report(name, pid, &hit, found);
	}

	return n;
}
