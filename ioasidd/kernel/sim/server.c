/* SPDX-License-Identifier: Apache-2.0
 *
 * server.c - the machine's process: connections, and when it ends
 *
 * The machine is there for as long as somebody needs it: an ioasidd-sim that is
 * connected, or any descriptor of it that is open anywhere. When neither is it
 * lingers, so that a daemon which is started anew finds it as it was.
 */
#include "kernel/sim/server.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* A blocked unbind is one, and so is a call of every thread of every holder. */
#define JOBS_MAX 1024
#define JOB_STACK (1 << 20)

/* At the start somebody is about to connect: at least so long it waits. */
#define FIRST_LINGER_NS UINT64_C(10000000000)

/* --- threads --- */

struct job {
	struct server *server;
	void (*fn)(void *data);
	void *data;
};

/**
 * job_main() - A thread
 * @data:	The job
 */
static void *job_main(void *data)
{
	struct job job = *(struct job *)data;

	free(data);
	job.fn(job.data);
	atomic_fetch_sub(&job.server->n_jobs, 1);

	return NULL;
}

/* server_job() - Do something in a thread of its own */
int server_job(struct server *server, void (*fn)(void *data), void *data)
{
	struct job *job = NULL;
	pthread_attr_t attr;
	pthread_t thread;
	int r = ENOMEM;

	if (atomic_fetch_add(&server->n_jobs, 1) < JOBS_MAX)
		job = malloc(sizeof(*job));
	if (job && !pthread_attr_init(&attr)) {
		*job = (struct job){ .server = server, .fn = fn, .data = data };
		(void)pthread_attr_setdetachstate(&attr,
						  PTHREAD_CREATE_DETACHED);
		(void)pthread_attr_setstacksize(&attr, JOB_STACK);
		r = pthread_create(&thread, &attr, job_main, job);
		(void)pthread_attr_destroy(&attr);
	}
	if (!r)
		return 0;

	free(job);
	atomic_fetch_sub(&server->n_jobs, 1);
	return -ENOMEM;
}

/* --- how long --- */

/**
 * is_idle() - Does nobody need the machine?
 */
static bool is_idle(const struct server *server)
{
	const struct connection *c = server->connections;

	while (c && !c->present)
		c = c->next;

	return !c && !server->n_ends;
}

/* server_idle() - Begin to linger if nobody is there */
void server_idle(struct server *server)
{
	loop_arm(server->linger, is_idle(server) ?
		 clock_mono_ns() + server->linger_ns + 1 : 0);
}

/**
 * linger_over() - Nobody has come back
 * @data:	The server
 */
static void linger_over(void *data)
{
	struct server *server = data;

	if (is_idle(server))
		loop_stop(server->loop);
}

/* --- connections --- */

/**
 * connection_end() - Forget a connection
 * @c:		It
 *
 * Return: its descriptor, to be closed.
 */
static int connection_end(struct connection *c)
{
	struct server *server = c->server;
	struct connection **at = &server->connections;
	int fd = c->fd;

	(void)loop_unwatch(c->source);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
	server_idle(server);

	return fd;
}

/**
 * connection_ready() - Something has come from an ioasidd-sim
 * @data:	The connection
 * @events:	Unused
 */
static void connection_ready(void *data, uint32_t events)
{
	struct control_request request;
	struct connection *c = data;
	struct server *server = c->server;
	ssize_t n;

	n = fd_receive(c->fd, &request, sizeof(request), NULL, 0, NULL);
	if (n == -EAGAIN)
		return;
	/* One that is present has nothing more to say. */
	if (n != sizeof(request) || request.magic != CONTROL_MAGIC ||
	    c->present) {
		(void)fd_close(connection_end(c));
		return;
	}
	if (request.op != CONTROL_HELLO) {
		ends_hear(server, NULL);
		answer_consume(server, connection_end(c), &request);
		return;
	}

	if (answer_hello(server, c->fd) < 0) {
		(void)fd_close(connection_end(c));
		return;
	}
	c->present = true;
	server_idle(server);
}

/* server_daemon() - Is a process an ioasidd-sim of this machine? */
bool server_daemon(const struct server *server, pid_t pid)
{
	const struct connection *c = server->connections;

	while (c && !(c->present && c->peer == pid))
		c = c->next;

	return c;
}

/**
 * may_connect() - Is the peer somebody who may do anything with the machine?
 * @fd:		The connection
 * @ret:	Who it is
 */
static bool may_connect(int fd, struct ucred *ret)
{
	socklen_t size = sizeof(*ret);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &size) &&
	       (ret->uid == geteuid() || ret->uid == 0);
}

/**
 * accept_ready() - Somebody connects
 * @data:	The server
 * @events:	Unused
 */
static void accept_ready(void *data, uint32_t events)
{
	struct server *server = data;
	_cleanup_fd_ int fd = -1;
	struct connection *c;
	struct ucred peer;

	fd = accept4(server->listen_fd, NULL, NULL,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 || !may_connect(fd, &peer))
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->server = server;
	if (loop_watch(server->loop, fd, EPOLLIN, connection_ready, c,
		       &c->source) < 0) {
		free(c);
		return;
	}
	c->fd = TAKE_FD(fd);
	c->peer = peer.pid;
	c->next = server->connections;
	server->connections = c;
}

/* --- the process --- */

/**
 * start() - Make the sources of the loop
 * @server:	The server
 *
 * Return: 0 or -errno.
 */
static int start(struct server *server)
{
	int r;

	r = loop_new(&server->loop);
	if (!r)
		r = loop_timer(server->loop, linger_over, server,
			       &server->linger);
	if (!r)
		r = announce_start(server);
	if (!r)
		r = loop_watch(server->loop, server->listen_fd, EPOLLIN,
			       accept_ready, server, &server->listener);

	return r;
}

/* machine_serve() - Be the machine until nobody needs it any more */
int machine_serve(struct sim *sim, const struct control_hello *hello,
		  int listener, unsigned int linger_s)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->sim = sim;
	server->listen_fd = listener;
	server->linger_ns = linger_s * UINT64_C(1000000000);
	server->hello = *hello;
	server->hello.pid = getpid();
	server->hello.info = sim->info;
	r = start(server);
	if (r < 0)
		return r;
	loop_arm(server->linger, clock_mono_ns() + server->linger_ns +
		 FIRST_LINGER_NS);

	/* Threads go on until the process has ended: nothing is freed. */
	return loop_run(server->loop);
}
