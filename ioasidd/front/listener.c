/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.c - the native socket's file, and who comes in by it
 */
#include "front/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Connections that wait for accept(2); more wait in connect(2), or get EAGAIN
 * if they do not want to. The kernel cuts it to net.core.somaxconn.
 */
#define BACKLOG SOMAXCONN

/* Connections taken in one round of the loop. */
#define ACCEPTS_PER_ROUND 16

/* How long not to accept when there are no descriptors or memory for it. */
#define PAUSE_MS 100

/**
 * struct listener - The socket; loop thread only
 * @fd:		Listens
 * @source:	Watches it
 * @pause:	Ends a pause
 * @address:	Where it is bound
 * @dev:	Of its file, as is @ino: whether it is still ours
 * @accepted:	Who takes connections
 * @data:	For him
 */
struct listener {
	int fd;
	struct loop_source *source;
	struct loop_source *pause;
	struct sockaddr_un address;
	dev_t dev;
	ino_t ino;
	void (*accepted)(void *data, int fd);
	void *data;
};

/**
 * listener_resume() - A pause is over
 * @data:	The listener
 */
static void listener_resume(void *data)
{
	struct listener *listener = data;

	loop_want(listener->source, EPOLLIN);
}

/**
 * listener_ready() - Somebody wants to come in
 * @data:	The listener
 * @events:	What epoll says
 */
static void listener_ready(void *data, uint32_t events)
{
	struct listener *listener = data;

	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		int fd = accept4(listener->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			listener->accepted(listener->data, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		log_warning("accept: %m; none for %d ms", PAUSE_MS);
		loop_want(listener->source, 0);
		loop_arm(listener->pause,
			 clock_mono_ns() + PAUSE_MS * 1000000ull);
		return;
	}
}

/**
 * clear_path() - Remove a socket that nobody listens on
 * @address:	Where
 *
 * Return: 0 if there is nothing any more; -EADDRINUSE; -EEXIST.
 */
static int clear_path(const struct sockaddr_un *address, struct error *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 :
			error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				  "'%s': %m", address->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, ERROR_KERNEL_SYSTEM,
				 "'%s' is there and no socket; it is left alone",
				 address->sun_path);

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "socket: %m");
	/* Refused: nobody listens. All else, EAGAIN and EPROTOTYPE too, means
	 * that somebody does.
	 */
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    errno != ECONNREFUSED)
		return error_set(err, -EADDRINUSE, ERROR_KERNEL_SYSTEM,
				 "another process listens on '%s'",
				 address->sun_path);
	if (unlink(address->sun_path) && errno != ENOENT)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "unlink '%s': %m", address->sun_path);
	return 0;
}

/**
 * make_folder() - Make the socket's folder if it is not there
 * @path:	Of the socket
 *
 * As systemd would: every uid may pass, since a claimant is any uid.
 *
 * Return: 0 or -errno.
 */
static int make_folder(const char *path, struct error *err)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	str_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	/* The umask is no help here: what is made must be open to pass. */
	if (mkdir(folder, 0755) == 0 && chmod(folder, 0755) == 0)
		return 0;
	return errno == EEXIST ? 0 :
		error_set(err, -errno, ERROR_KERNEL_SYSTEM,
			  "make the folder '%s': %m", folder);
}

/**
 * listener_open() - Bind the socket and listen
 * @listener:	With its address; gets descriptor and file
 *
 * Until chmod(2) the umask may keep others out, and until listen(2) they are
 * refused; they see no half of it.
 */
static int listener_open(struct listener *listener, struct error *err)
{
	const struct sockaddr_un *address = &listener->address;
	const char *path = address->sun_path;
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	r = make_folder(path, err);
	if (r == 0)
		r = clear_path(address, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "socket: %m");
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "bind '%s': %m", path);
	if (lstat(path, &st) || chmod(path, 0666) || listen(fd, BACKLOG)) {
		r = error_set(err, -errno, ERROR_KERNEL_SYSTEM,
			      "listen on '%s': %m", path);
		(void)unlink(path); /* we made it just now */
		return r;
	}
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	listener->fd = TAKE_FD(fd);

	return 0;
}

/* listener_new() - Make the socket and listen */
int listener_new(struct loop *loop, const char *path,
		 void (*accepted)(void *data, int fd), void *data,
		 struct listener **ret, struct error *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the socket");
	listener->fd = -1;
	listener->accepted = accepted;
	listener->data = data;
	listener->address.sun_family = AF_UNIX;
	if (!*path || !str_copy(listener->address.sun_path,
				sizeof(listener->address.sun_path), path)) {
		free(listener);
		return error_set(err, -ENAMETOOLONG, ERROR_KERNEL_SYSTEM,
				 "the socket's path has 1 to %zu bytes",
				 sizeof(listener->address.sun_path) - 1);
	}

	r = listener_open(listener, err);
	if (r >= 0) {
		r = loop_timer(loop, listener_resume, listener,
			       &listener->pause);
		if (r >= 0)
			r = loop_watch(loop, listener->fd, EPOLLIN,
				       listener_ready, listener,
				       &listener->source);
		if (r < 0)
			error_set(err, r, ERROR_KERNEL_SYSTEM,
				  "watch '%s': %m", path);
	}
	if (r < 0) {
		listener_free(listener);
		return r;
	}

	*ret = listener;
	return 0;
}

/* listener_free() - Stop listening and remove the socket */
struct listener *listener_free(struct listener *listener)
{
	struct stat st;

	if (!listener)
		return NULL;

	listener->source = loop_unwatch(listener->source);
	listener->pause = loop_unwatch(listener->pause);
	if (listener->fd >= 0 && !lstat(listener->address.sun_path, &st) &&
	    st.st_dev == listener->dev && st.st_ino == listener->ino)
		(void)unlink(listener->address.sun_path); /* gone is gone */
	(void)fd_close(listener->fd);
	free(listener);

	return NULL;
}
