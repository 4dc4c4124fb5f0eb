/* SPDX-License-Identifier: Apache-2.0
 *
 * grpc-peer.c - api/grpc on a UNIX socket, with a fake link behind it
 *
 * usage: grpc-peer CONTRACT SOCKET [LIMIT=N ...]
 *
 * CONTRACT is "ioasid" or "everything"; limits are named as in struct limits.
 * Prints "ready", then serves until SIGTERM. With GRPC_PEER_DEBUG set it says
 * why connections end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fake-link.h"
#include "grpc/grpc.h"

extern const struct contract contract_everything;

static struct loop *loop;
static struct grpc *grpc;
static uint64_t last_connection;

/* die() - End for want of something. */
static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* set_limit() - Set what "NAME=N" says. */
static void set_limit(struct limits *limits, const char *text)
{
	const struct {
		const char *name;
		uint32_t *value;
	} all[] = {
		{ "message_bytes=", &limits->message_bytes },
		{ "header_bytes=", &limits->header_bytes },
		{ "streams=", &limits->streams },
		{ "header_timeout_ms=", &limits->header_timeout_ms },
		{ "body_timeout_ms=", &limits->body_timeout_ms },
		{ "idle_timeout_ms=", &limits->idle_timeout_ms },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const char *number = str_starts(text, all[i].name);
		uint64_t value;

		if (number && !str_u64(number, 10, UINT32_MAX, &value)) {
			*all[i].value = (uint32_t)value;
			return;
		}
	}
	errno = EINVAL;
	die(text);
}

/* accept_all() - Somebody has connected */
static void accept_all(void *data, uint32_t events)
{
	int listener = *(int *)data, fd;
	struct stream *stream;

	for (;;) {
		fd = accept4(listener, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		if (stream_plain_consume(loop, fd, &stream) < 0 ||
		    grpc_add_consume(grpc, ++last_connection, stream) < 0)
			die("a connection");
	}
}

/* closed() - A connection is over: count what there is to count */
static void closed(void *data, uint64_t connection)
{
	if (!connection || connection > last_connection)
		abort();
}

/* stop() - SIGTERM has come */
static void stop(void *data, uint32_t events)
{
	loop_stop(loop);
}

/* listen_at() - A socket to listen on. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    !str_copy(address.sun_path, sizeof(address.sun_path), path) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 1024))
		die(path);
	return fd;
}

/* signals() - A descriptor that tells of SIGTERM. */
static int signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

/* main() - Serve until SIGTERM */
int main(int argc, char **argv)
{
	struct limits limits = LIMITS_DEFAULT;
	struct loop_source *listening = NULL, *signalled = NULL;
	struct error err = ERROR_NULL;
	_cleanup_fd_ int listener = -1, terminate = -1;
	struct link *link;

	if (argc < 3)
		return 2;
	for (int i = 3; i < argc; i++)
		set_limit(&limits, argv[i]);
	log_init(getenv("GRPC_PEER_DEBUG") ? LOG_LEVEL_DEBUG :
					     LOG_LEVEL_WARNING);
	terminate = signals();
	listener = listen_at(argv[2]);
	if (loop_new(&loop) < 0)
		die("loop");
	link = fake_link_new(loop);
	if (grpc_new(loop, link, &limits, closed, NULL, &grpc, &err) < 0 ||
	    loop_watch(loop, listener, EPOLLIN, accept_all, &listener,
		       &listening) < 0 ||
	    loop_watch(loop, terminate, EPOLLIN, stop, NULL, &signalled) < 0)
		die("start");
	if (str_eq(argv[1], "everything"))
		grpc_use_contract(grpc, &contract_everything);
	puts("ready");
	fflush(stdout);
	if (loop_run(loop) < 0)
		die("run");
	grpc_free(grpc);
	loop_unwatch(listening);
	loop_unwatch(signalled);
	link_free(link);
	loop_free(loop);
	return 0;
}
