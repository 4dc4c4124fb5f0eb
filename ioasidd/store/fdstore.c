/* SPDX-License-Identifier: Apache-2.0
 *
 * fdstore.c - descriptors that the service manager keeps while we restart
 */
#include "store/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/notify.h"
#include "base/str.h"

#define FIRST_FD 3		/* SD_LISTEN_FDS_START of sd-daemon(3) */
#define BARRIER_MS 5000

/**
 * name_valid() - Is it a name that we would give?
 * @name:	The name
 *
 * Return: true if it is "<kind>-<id>".
 */
static bool name_valid(const char *name)
{
	const char *letters = "abcdefghijklmnopqrstuvwxyz";
	size_t kind = strspn(name, letters), n = strlen(name);

	return kind && name[kind] == '-' && name[kind + 1] &&
	       n <= FDSTORE_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n;
}

/* fdstore_room() - How many descriptors the manager keeps for this unit */
unsigned int fdstore_room(void)
{
	const char *value = getenv("FDSTORE");
	uint64_t room = 0;

	if (!value || str_u64(value, 10, UINT_MAX, &room))
		return 0;

	return (unsigned int)room;
}

/**
 * tell() - Tell the manager about a name, and wait until it has understood
 * @what:	"FDSTORE" or "FDSTOREREMOVE"
 * @name:	The name
 * @fd:		Sent along; -1 for none
 * @err:	Filled on failure
 *
 * Return: as fdstore_put().
 */
static int tell(const char *what, const char *name, int fd, struct error *err)
{
	char text[FDSTORE_NAME_MAX + 64];
	int r;

	if (!name_valid(name))
		return error_set(err, -EINVAL, ERROR_DAEMON_INTERNAL,
				 "'%s' is no name for the fd store", name);

	(void)str_format(text, sizeof(text), "%s=1\nFDNAME=%s%s", what, name,
			 fd >= 0 ? "\nFDPOLL=0" : "");
	r = notify_send_fd(text, fd);
	if (r > 0)
		r = notify_barrier(BARRIER_MS);
	if (r == 0)
		r = -ENOTCONN;
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "%s of '%s' at the service manager: %m",
				 what, name);

	return 0;
}

/* fdstore_put() - Give a descriptor to the manager to keep */
int fdstore_put(const char *name, int fd, struct error *err)
{
	if (fd < 0)
		return error_set(err, -EINVAL, ERROR_DAEMON_INTERNAL,
				 "no descriptor for '%s'", name);

	return tell("FDSTORE", name, fd, err);
}

/* fdstore_remove() - Let the manager drop the descriptors of a name */
int fdstore_remove(const char *name, struct error *err)
{
	return tell("FDSTOREREMOVE", name, -1, err);
}

/**
 * listen_count() - How many descriptors were passed to this process
 * @ret:	The count
 *
 * Return: 0; -EINVAL if a variable is not as the manager writes it.
 */
static int listen_count(size_t *ret)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t value;

	*ret = 0;
	if (!pid || !fds)
		return 0;
	if (str_u64(pid, 10, INT_MAX, &value))
		return -EINVAL;
	if (value != (uint64_t)getpid())
		return 0; /* meant for a parent of ours */
	if (str_u64(fds, 10, INT_MAX - FIRST_FD, &value))
		return -EINVAL;

	*ret = value;
	return 0;
}

/**
 * listen_names() - Which names the descriptors have
 * @n:		How many descriptors
 * @ret:	Their names; fewer if the manager said too few
 *
 * Return: 0; -ENOMEM.
 */
static int listen_names(size_t n, struct strv *ret)
{
	const char *names = getenv("LISTEN_FDNAMES");
	_cleanup_free_ char *copy = strdup(names ? names : "");
	char *rest = copy, *name;

	if (!copy)
		return -ENOMEM;
	while (ret->n < n && (name = strsep(&rest, ":")))
		if (strv_add(ret, name))
			return -ENOMEM;

	return 0;
}

/**
 * is_single() - Does one descriptor alone have this name?
 * @names:	All names
 * @name:	The name
 *
 * Return: true if it stands once in the list.
 */
static bool is_single(const struct strv *names, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < names->n; i++)
		count += str_eq(names->items[i], name);

	return count == 1;
}

/**
 * refuse() - Close a descriptor, and let the manager drop it
 * @fd:		The descriptor
 * @name:	Its name; NULL if it has none
 *
 * Names that we would not give are removed too, as long as they are one line.
 * That the manager does not listen must not keep us from starting.
 */
static void refuse(int fd, const char *name)
{
	char text[FDSTORE_NAME_MAX + 64];

	(void)fd_close(fd);
	if (name && *name && !strpbrk(name, "\n\r") &&
	    str_format(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name))
		(void)notify_send(text);
}

/* fdstore_take() - Take back what the manager kept */
int fdstore_take(bool (*fn)(void *data, const char *name, int fd), void *data,
		 struct error *err)
{
	_cleanup_strv_ struct strv names = STRV_NULL;
	int wanted = 0, r;
	size_t n;

	r = listen_count(&n);
	if (r == 0)
		r = listen_names(n, &names);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "take descriptors back from the service "
				 "manager: %m");

	for (size_t i = 0; i < n; i++) {
		const char *name = i < names.n ? names.items[i] : NULL;
		int fd = FIRST_FD + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			continue; /* there is none */
		if (name && name_valid(name) && is_single(&names, name) &&
		    fn(data, name, fd))
			wanted++;
		else
			refuse(fd, name);
	}

	return wanted;
}
