/* SPDX-License-Identifier: Apache-2.0
 *
 * api-files.c - what ioasid-api is to know, as sealed memfds
 */
#include "run/api-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* The longest file, bytes: many authorities, a long CRL. As in ioasid-api. */
#define FILE_SIZE_MAX (4 << 20)

/* memfd_create(2), Linux 6.3: nobody can execute it. Older headers lack it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/**
 * fill() - Copy a file
 * @from:	The file
 * @to:		Empty
 *
 * The kernel copies: a key does not stay in our memory.
 *
 * Return: 0; -EFBIG; -errno.
 */
static int fill(int from, int to)
{
	off_t in = 0;

	for (;;) {
		ssize_t n = sendfile(to, from, &in, 65536);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (in > FILE_SIZE_MAX)
			return -EFBIG;
	}
}

/**
 * add_consume() - Seal a file and add it
 * @files:	Has room
 * @name:	What it is
 * @fd:		A memfd; closed on failure
 *
 * Return: 0 or -errno.
 */
static int add_consume(struct api_link_files *files, const char *name, int fd)
{
	_cleanup_fd_ int memfd = fd;

	if (lseek(memfd, 0, SEEK_SET) < 0 ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
				      F_SEAL_GROW | F_SEAL_WRITE))
		return -errno;
	files->names[files->n] = name;
	files->fds[files->n++] = TAKE_FD(memfd);
	return 0;
}

/**
 * new_memfd() - An empty file without a name
 * @name:	For who looks into /proc
 *
 * Return: the descriptor or -errno.
 */
static int new_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL |
				    MFD_ALLOW_SEALING);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/**
 * add_file() - Add a file of the disk
 * @files:	Has room
 * @name:	What it is
 * @path:	Where
 *
 * Return: 0; -EINVAL if it is no file; -EFBIG; -errno.
 */
static int add_file(struct api_link_files *files, const char *name,
		    const char *path, struct error *err)
{
	/* Whatever it is, opening it must not wait. */
	_cleanup_fd_ int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
					   O_NOCTTY);
	_cleanup_fd_ int memfd = -1;
	struct stat st;
	int r = 0;

	if (from < 0 || fstat(from, &st))
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	if (r == 0) {
		memfd = new_memfd(name);
		r = memfd < 0 ? memfd : fill(from, memfd);
	}
	if (r == 0)
		r = add_consume(files, name, TAKE_FD(memfd));
	return r == 0 ? 0 : error_set(err, r, ERROR_KERNEL_SYSTEM,
				      "the %s '%s': %m", name, path);
}

/**
 * add_limits() - Add the limits of clients
 * @files:	Has room
 * @limits:	NULL for the defaults
 *
 * Return: 0 or -errno.
 */
static int add_limits(struct api_link_files *files,
		      const Ioasid__V1__LinkLimits *limits, struct error *err)
{
	uint8_t packed[256]; /* 8 numbers of at most 6 bytes */
	_cleanup_fd_ int memfd = new_memfd("limits");
	size_t size = 0;
	int r = memfd < 0 ? memfd : 0;

	if (r == 0 && limits)
		size = ioasid__v1__link_limits__pack(limits, packed);
	if (r == 0 && write(memfd, packed, size) != (ssize_t)size)
		r = -errno;
	if (r == 0)
		r = add_consume(files, "limits", TAKE_FD(memfd));
	return r == 0 ? 0 : error_set(err, r, ERROR_KERNEL_SYSTEM,
				      "the limits of the API: %m");
}

/* api_files_read() - Read the files of the options */
int api_files_read(const struct api_options *options,
		   struct api_link_files *ret, struct error *err)
{
	const struct {
		const char *name, *path;
		bool needed;
	} files[] = {
		{ "certificate", options->certificate, true },
		{ "key", options->key, true },
		{ "authorities", options->authorities, true },
		{ "revoked", options->revoked, false },
	};
	struct api_link_files made = { .n = 0 };
	int r = add_limits(&made, options->limits, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		if (files[i].path)
			r = add_file(&made, files[i].name, files[i].path, err);
		else if (options->link.listen && files[i].needed)
			r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				      "TCP is only served with TLS, which needs the file '%s'",
				      files[i].name);
	}
	if (r < 0) {
		api_files_deinit(&made);
		return r;
	}

	*ret = made;
	return 0;
}

/* api_files_deinit() - Close them */
void api_files_deinit(struct api_link_files *files)
{
	while (files->n)
		(void)fd_close(files->fds[--files->n]);
}
