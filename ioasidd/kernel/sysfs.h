/* SPDX-License-Identifier: Apache-2.0
 *
 * sysfs.h - small readers of sysfs, relative to an open folder
 *
 * An attribute that is not there is -ENOENT, and often no error: files come and
 * go with the kernel's configuration and with the device.
 */
#ifndef IOASIDD_KERNEL_SYSFS_H
#define IOASIDD_KERNEL_SYSFS_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>

/* Longest attribute that is read whole; sysfs gives a page at most. */
#define SYSFS_MAX 4097

/**
 * sysfs_open() - Hold on to a folder
 * @dirfd:	Where @path begins
 * @path:	The folder; links are followed
 *
 * Return: an O_PATH descriptor, the caller's, or -errno.
 */
int sysfs_open(int dirfd, const char *path);

/**
 * sysfs_text() - Read an attribute of one line
 * @dirfd:	Where @path begins
 * @path:	The attribute
 * @buf:	Its text without the white space at its end; cut if too long,
 *		empty on failure
 * @size:	Room there
 *
 * Return: 0; -EFBIG if it was longer than SYSFS_MAX; -errno.
 */
int sysfs_text(int dirfd, const char *path, char *buf, size_t size);

/**
 * sysfs_u64() - Read an attribute that is a number
 * @base:	As str_u64() takes it
 * @ret:	The number
 *
 * Return: 0; -EINVAL or -ERANGE if it is not one; -errno.
 */
int sysfs_u64(int dirfd, const char *path, int base, uint64_t *ret);

/**
 * sysfs_link() - Read the last component of what a link points to
 * @dirfd:	Where @path begins
 * @path:	The link
 * @buf:	The name; empty on failure
 * @size:	Room there
 *
 * Return: 0; -ENAMETOOLONG if it does not fit; -EINVAL if it is no link;
 * -errno.
 */
int sysfs_link(int dirfd, const char *path, char *buf, size_t size);

/**
 * sysfs_dir() - Open a folder for reading its entries
 * @dirfd:	Where @path begins
 * @path:	The folder
 * @ret:	Ends with closedir(3), see _cleanup_dir_
 *
 * Return: 0 or -errno.
 */
int sysfs_dir(int dirfd, const char *path, DIR **ret);

/**
 * sysfs_next() - The next entry of a folder
 *
 * Return: its name, valid until the next call; NULL at the end. Names that
 * begin with a dot are passed over.
 */
const char *sysfs_next(DIR *dir);

static inline void sysfs_closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_dir_ __attribute__((cleanup(sysfs_closedirp)))

#endif
