/* SPDX-License-Identifier: Apache-2.0
 *
 * token.c - tokens: from files and into files, never in a command line
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "ioasidctl/ctl.h"

/* ctl_token_create() - See ctl.h. */
int ctl_token_create(const char *path, int *ret_fd)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
				    O_CLOEXEC, 0600);

	if (fd < 0)
		return ctl_fail("make '%s': %m", path);
	*ret_fd = fd;
	return CTL_DONE;
}

/* ctl_token_write_consume() - See ctl.h. */
int ctl_token_write_consume(const char *path, int fd, char *token)
{
	size_t n = token ? strlen(token) : 0;
	int r = CTL_DONE;

	if (n && (write(fd, token, n) != (ssize_t)n ||
		  write(fd, "\n", 1) != 1))
		r = ctl_fail("write '%s': %m", path);
	if (n)
		explicit_bzero(token, n);
	if (close(fd) < 0 && r == CTL_DONE)
		r = ctl_fail("write '%s': %m", path);
	if (!n || r != CTL_DONE)
		(void)unlink(path); /* we made it; it says nothing */
	return r;
}

/* ctl_token_read() - See ctl.h. */
int ctl_token_read(const char *path, char ret[CTL_TOKEN_SIZE])
{
	_cleanup_fd_ int opened = -1;
	int fd = STDIN_FILENO;
	char text[256];
	size_t size = 0;
	ssize_t n;

	if (!str_eq(path, "-")) {
		opened = open(path, O_RDONLY | O_CLOEXEC);
		fd = opened;
		if (fd < 0)
			return ctl_fail("'%s': %m", path);
	}
	do {
		n = read(fd, text + size, sizeof(text) - 1 - size);
		if (n < 0 && errno != EINTR)
			return ctl_fail("read '%s': %m", path);
		size += n > 0 ? (size_t)n : 0;
	} while (n != 0 && size < sizeof(text) - 1);
	text[size] = '\0';
	(void)str_chomp(text);
	if (strlen(text) != CTL_TOKEN_SIZE - 1 ||
	    strspn(text, "0123456789abcdef") != CTL_TOKEN_SIZE - 1) {
		explicit_bzero(text, sizeof(text));
		return ctl_usage("there is no token in '%s'", path);
	}
	memcpy(ret, text, CTL_TOKEN_SIZE);
	explicit_bzero(text, sizeof(text));
	return CTL_DONE;
}
