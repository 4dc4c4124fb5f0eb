/* SPDX-License-Identifier: Apache-2.0
 *
 * tree.h - a folder that looks like sysfs, for tests
 */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
	char path[64];
};

/**
 * tree_parents() - Make the folders that a path needs
 */
static inline void tree_parents(const char *path)
{
	char part[4096];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		(void)mkdir(part, 0755); /* it may be there */
	}
}

/**
 * tree_make() - Make an empty tree; ends the test program if it cannot
 */
static inline void tree_make(struct tree *t)
{
	strcpy(t->path, "/tmp/ioasidd-tree-XXXXXX");
	if (!mkdtemp(t->path))
		abort();
}

/**
 * tree_data() - Make a file
 * @path:	Relative to the tree; its folders are made
 */
static inline void tree_data(const struct tree *t, const char *path,
			     const void *data, size_t size)
{
	char full[4096];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", t->path, path);
	tree_parents(full);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/**
 * tree_file() - Make a file of one line, as sysfs would
 */
static inline void tree_file(const struct tree *t, const char *path,
			     const char *line)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s\n", line);
	tree_data(t, path, text, strlen(text));
}

/**
 * tree_folder() - Make a folder
 */
static inline void tree_folder(const struct tree *t, const char *path)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s/", t->path, path);
	tree_parents(full);
}

/**
 * tree_link() - Make a link
 * @target:	As it is written; only its last component matters to most
 */
static inline void tree_link(const struct tree *t, const char *path,
			     const char *target)
{
	char full[4096];

	snprintf(full, sizeof(full), "%s/%s", t->path, path);
	tree_parents(full);
	if (symlink(target, full))
		abort();
}

/**
 * tree_open() - Hold on to the tree as the readers want it
 */
static inline int tree_open(const struct tree *t)
{
	int fd = open(t->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		abort();

	return fd;
}

/**
 * tree_remove_one() - For nftw(3)
 */
static inline int tree_remove_one(const char *path, const struct stat *st,
				  int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;

	return remove(path);
}

/**
 * tree_remove() - Remove the tree with all that is in it
 */
static inline void tree_remove(const struct tree *t)
{
	nftw(t->path, tree_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

#endif
