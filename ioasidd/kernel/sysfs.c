/* SPDX-License-Identifier: Apache-2.0
 *
 * sysfs.c - small readers of sysfs, relative to an open folder
 */
#include "kernel/sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* sysfs_open() - Hold on to a folder */
int sysfs_open(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* sysfs_text() - Read an attribute of one line */
int sysfs_text(int dirfd, const char *path, char *buf, size_t size)
{
	char text[SYSFS_MAX + 1];
	ssize_t n;

	buf[0] = '\0';
	n = fd_read_file(dirfd, path, text, sizeof(text));
	if (n < 0)
		return (int)n;

	/* A zero byte inside would hide what follows it; nobody needs that. */
	(void)str_copy(buf, size, str_chomp(text));

	return 0;
}

/* sysfs_u64() - Read an attribute that is a number */
int sysfs_u64(int dirfd, const char *path, int base, uint64_t *ret)
{
	char text[32];
	int r;

	r = sysfs_text(dirfd, path, text, sizeof(text));
	if (r < 0)
		return r;

	return str_u64(text, base, UINT64_MAX, ret);
}

/* sysfs_link() - Read the last component of what a link points to */
int sysfs_link(int dirfd, const char *path, char *buf, size_t size)
{
	char target[PATH_MAX];
	const char *name;
	ssize_t n;

	buf[0] = '\0';
	n = readlinkat(dirfd, path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';

	name = strrchr(target, '/');
	if (!str_copy(buf, size, name ? name + 1 : target)) {
		buf[0] = '\0';
		return -ENAMETOOLONG;
	}

	return 0;
}

/* sysfs_dir() - Open a folder for reading its entries */
int sysfs_dir(int dirfd, const char *path, DIR **ret)
{
	_cleanup_fd_ int fd = -1;
	DIR *dir;

	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1; /* closedir() closes it */

	*ret = dir;
	return 0;
}

/* sysfs_next() - The next entry of a folder */
const char *sysfs_next(DIR *dir)
{
	struct dirent *entry;

	do {
		entry = readdir(dir);
	} while (entry && entry->d_name[0] == '.');

	return entry ? entry->d_name : NULL;
}
