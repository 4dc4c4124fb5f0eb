/* SPDX-License-Identifier: Apache-2.0
 *
 * listener.c - sockets that are listened on, and who comes in by them
 */
#include "front/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
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

/* How long a socket of an earlier life may be listened on, and how often it is
 * looked at meanwhile.
 */
#define LINGER_MS 1000
#define LINGER_STEP_MS 20

/**
 * struct listener - The socket; loop thread only
 * @fd:		Listens
 * @source:	Watches it
 * @pause:	Ends a pause
 * @held:	None are wanted now
 * @address:	Where a UNIX socket is bound; empty for TCP
 * @dev:	Of its file, as is @ino: whether it is still ours
 * @accepted:	Who takes connections
 * @data:	For him
 */
struct listener {
	int fd;
	struct loop_source *source;
	struct loop_source *pause;
	bool held;
	struct sockaddr_un address;
	dev_t dev;
	ino_t ino;
	listener_fn accepted;
	void *data;
};

/**
 * listener_resume() - A pause is over
 * @data:	The listener
 */
static void listener_resume(void *data)
{
	struct listener *listener = data;

	loop_want(listener->source, listener->held ? 0 : EPOLLIN);
}

/**
 * listener_ready() - Somebody wants to come in
 * @data:	The listener
 * @events:	What epoll says
 */
static void listener_ready(void *data, uint32_t events)
{
	struct listener *listener = data;

	for (int i = 0; i < ACCEPTS_PER_ROUND && !listener->held; i++) {
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

/* listener_hold() - Take no connections for a while, or again */
void listener_hold(struct listener *listener, bool hold)
{
	listener->held = hold;
	loop_arm(listener->pause, 0);
	loop_want(listener->source, hold ? 0 : EPOLLIN);
}

/**
 * is_listened_on() - Does anybody listen on a socket?
 * @address:	Where
 * @type:	What kind of socket
 *
 * Refused: nobody does. All else, EAGAIN and EPROTOTYPE too, means that somebody
 * does.
 *
 * Return: 1 or 0; -errno.
 */
static int is_listened_on(const struct sockaddr_un *address, int type,
			  struct error *err)
{
	_cleanup_fd_ int fd = -1;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "socket: %m");
	return !connect(fd, (const struct sockaddr *)address,
			sizeof(*address)) || errno != ECONNREFUSED;
}

/**
 * clear_path() - Remove a socket that nobody listens on
 * @address:	Where
 * @type:	What kind of socket
 *
 * Return: 0 if there is nothing any more; -EADDRINUSE; -EEXIST.
 */
static int clear_path(const struct sockaddr_un *address, int type,
		      struct error *err)
{
	const struct timespec moment = { .tv_nsec = LINGER_STEP_MS * 1000000 };
	struct stat st;
	int r;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 :
			error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				  "'%s': %m", address->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, ERROR_KERNEL_SYSTEM,
				 "'%s' is there and no socket; it is left alone",
				 address->sun_path);

	/* A child that was being made when we were killed has it for a moment. */
	r = is_listened_on(address, type, err);
	for (int i = 0; i < LINGER_MS && r == 1; i += LINGER_STEP_MS) {
		(void)nanosleep(&moment, NULL);
		r = is_listened_on(address, type, err);
	}
	if (r < 0)
		return r;
	if (r)
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

/* <asm-generic/socket.h> of 6.16 */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/**
 * refuse_descriptors() - Let nobody send any over connections of a stream
 * @fd:		The socket; those that it accepts inherit it
 *
 * To drop a stranger's can wait for him, see base/receive.h. What is read as bytes
 * has no use for them.
 */
static void refuse_descriptors(int fd)
{
	const int off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)))
		log_debug("SO_PASSRIGHTS: %m");
}

/**
 * listener_open() - Bind the socket and listen
 * @listener:	With its address; gets descriptor and file
 * @type:	What kind of socket
 *
 * Until chmod(2) the umask may keep others out, and until listen(2) they are
 * refused; they see no half of it.
 */
static int listener_open(struct listener *listener, int type,
			 struct error *err)
{
	const struct sockaddr_un *address = &listener->address;
	const char *path = address->sun_path;
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	r = make_folder(path, err);
	if (r == 0)
		r = clear_path(address, type, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "socket: %m");
	if (type == SOCK_STREAM)
		refuse_descriptors(fd);
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

/**
 * listener_alloc() - A listener that does not listen yet
 * @accepted:	As for listener_new()
 * @data:	likewise
 * @ret:	The listener
 *
 * Return: 0; -ENOMEM daemon.no-memory.
 */
static int listener_alloc(listener_fn accepted, void *data,
			  struct listener **ret, struct error *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the socket");
	listener->fd = -1;
	listener->accepted = accepted;
	listener->data = data;

	*ret = listener;
	return 0;
}

/**
 * listener_watch() - Begin to take connections
 * @loop:	The loop
 * @listener:	Listens
 * @where:	For the words
 *
 * Return: 0 or -errno.
 */
static int listener_watch(struct loop *loop, struct listener *listener,
			  const char *where, struct error *err)
{
	int r = loop_timer(loop, listener_resume, listener, &listener->pause);

	if (r >= 0)
		r = loop_watch(loop, listener->fd, EPOLLIN, listener_ready,
			       listener, &listener->source);
	return r >= 0 ? 0 : error_set(err, r, ERROR_KERNEL_SYSTEM,
				      "watch '%s': %m", where);
}

/* listener_new() - Make a UNIX socket and listen */
int listener_new(struct loop *loop, const char *path, int type,
		 listener_fn accepted, void *data, struct listener **ret,
		 struct error *err)
{
	struct listener *listener;
	int r;

	r = listener_alloc(accepted, data, &listener, err);
	if (r < 0)
		return r;
	listener->address.sun_family = AF_UNIX;
	if (!*path || !str_copy(listener->address.sun_path,
				sizeof(listener->address.sun_path), path)) {
		free(listener);
		return error_set(err, -ENAMETOOLONG, ERROR_KERNEL_SYSTEM,
				 "the socket's path has 1 to %zu bytes",
				 sizeof(listener->address.sun_path) - 1);
	}

	r = listener_open(listener, type, err);
	if (r >= 0)
		r = listener_watch(loop, listener, path, err);
	if (r < 0) {
		listener_free(listener);
		return r;
	}

	*ret = listener;
	return 0;
}

/**
 * split_address() - Take "HOST:PORT" or "[HOST]:PORT" apart
 * @text:	The words; changed
 * @ret_port:	Digits, a number that is a port
 *
 * getaddrinfo(3) takes an empty host or port for any, and 65,616 for 80.
 *
 * Return: the host; NULL if that is not what it is.
 */
static const char *split_address(char *text, const char **ret_port)
{
	char *colon = strrchr(text, ':');
	uint64_t port;

	if (!colon || colon == text || str_u64(colon + 1, 10, 65535, &port) < 0)
		return NULL;
	*ret_port = colon + 1;
	*colon = '\0';
	if (*text != '[')
		return strchr(text, ':') ? NULL : text;
	if (colon - text < 3 || colon[-1] != ']')
		return NULL;
	colon[-1] = '\0';
	return text + 1;
}

/**
 * parse_address() - What "HOST:PORT" stands for
 * @text:	The words; no names, which would have to be asked for
 * @ret:	To be freed with freeaddrinfo()
 *
 * Return: 0; -EINVAL kernel.system.
 */
static int parse_address(const char *text, struct addrinfo **ret,
			 struct error *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	const char *host = NULL, *port;
	char copy[64];

	if (str_copy(copy, sizeof(copy), text))
		host = split_address(copy, &port);
	if (host && !getaddrinfo(host, port, &hints, ret))
		return 0;
	return error_set(err, -EINVAL, ERROR_KERNEL_SYSTEM,
			 "'%s' is no address and port, such as 192.0.2.1:8443 or [2001:db8::1]:8443",
			 text);
}

/**
 * open_tcp() - Bind a TCP socket and listen
 * @address:	Where
 * @ret_fd:	The socket
 *
 * Return: 0 or -errno.
 */
static int open_tcp(const struct addrinfo *address, int *ret_fd)
{
	_cleanup_fd_ int fd = -1;
	const int on = 1;

	fd = socket(address->ai_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Without TCP_NODELAY, which connections inherit, an answer in two
	 * pieces would wait for the client's acknowledgement of the first.
	 */
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) ||
	    bind(fd, address->ai_addr, address->ai_addrlen) ||
	    listen(fd, BACKLOG))
		return -errno;

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* listener_new_tcp() - Listen on a TCP port */
int listener_new_tcp(struct loop *loop, const char *address,
		     listener_fn accepted, void *data, struct listener **ret,
		     struct error *err)
{
	struct listener *listener;
	struct addrinfo *found;
	int r;

	r = parse_address(address, &found, err);
	if (r < 0)
		return r;
	r = listener_alloc(accepted, data, &listener, err);
	if (r >= 0) {
		r = open_tcp(found, &listener->fd);
		if (r < 0)
			error_set(err, r, ERROR_KERNEL_SYSTEM,
				  "listen on '%s': %m", address);
		else
			r = listener_watch(loop, listener, address, err);
		if (r < 0)
			listener_free(listener);
	}
	freeaddrinfo(found);
	if (r < 0)
		return r;

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
	if (listener->fd >= 0 && listener->address.sun_path[0] &&
	    !lstat(listener->address.sun_path, &st) &&
	    st.st_dev == listener->dev && st.st_ino == listener->ino)
		(void)unlink(listener->address.sun_path); /* gone is gone */
	(void)fd_close(listener->fd);
	free(listener);

	return NULL;
}
