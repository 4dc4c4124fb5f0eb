/* SPDX-License-Identifier: Apache-2.0
 *
 * pump.c - carries the bytes of a TLS session to and from a plain socket
 *
 * Each time something is ready all is moved that can be, for a bounded number
 * of rounds. A session may have bytes that no socket tells of, so what is left
 * after that is asked for again in the loop's next round.
 */
#include "tls/pump.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tls/session.h"

/* How many times both buffers may fill up before others have their turn. */
#define ROUNDS 16

/**
 * struct flow - One direction
 * @bytes:	PUMP_BUFFER of them; NULL while it is empty
 * @start:	First that is to go out
 * @end:	After the last
 * @eof:	No more comes in
 * @told:	The other side knows
 */
struct flow {
	uint8_t *bytes;
	size_t start;
	size_t end;
	bool eof;
	bool told;
};

/**
 * struct pump - A session and a socket; loop thread only
 * @loop:	The loop
 * @stream:	The session
 * @fd:		Our end of the socketpair
 * @source:	Watches it; NULL when the other end is closed
 * @stuck:	Armed while a client is to take something
 * @again:	To go on in the next round
 * @stuck_ns:	A client's time
 * @in:		From the client
 * @out:	To the client
 * @sent:	Bytes to the client since @stuck was armed
 * @over:	See pump_new_consume()
 * @data:	For @over
 */
struct pump {
	struct loop *loop;
	struct stream *stream;
	int fd;
	struct loop_source *source;
	struct loop_source *stuck;
	struct loop_source *again;
	uint64_t stuck_ns;
	struct flow in;
	struct flow out;
	size_t sent;
	void (*over)(void *data);
	void *data;
};

/* is_empty() - Is nothing on its way? */
static bool is_empty(const struct flow *flow)
{
	return flow->start == flow->end;
}

/* has_room() - Can more come in? */
static bool has_room(const struct flow *flow)
{
	return !flow->eof && (!flow->bytes || flow->end < PUMP_BUFFER);
}

/**
 * make_room() - Have a place to read to
 * @flow:	With room
 *
 * Return: 0 or -ENOMEM.
 */
static int make_room(struct flow *flow)
{
	if (!flow->bytes)
		flow->bytes = malloc(PUMP_BUFFER);
	return flow->bytes ? 0 : -ENOMEM;
}

/**
 * went() - So many bytes have gone out
 * @flow:	The direction
 * @n:		How many
 *
 * An idle connection has no buffers.
 */
static void went(struct flow *flow, size_t n)
{
	flow->start += n;
	if (!is_empty(flow))
		return;
	free(flow->bytes);
	flow->bytes = NULL;
	flow->start = flow->end = 0;
}

/**
 * came() - What reading has given
 * @flow:	The direction
 * @n:		How many bytes, 0 at the end, or -errno
 *
 * Return: 1 if something came; 0 if nothing is there now; -errno.
 */
static int came(struct flow *flow, ssize_t n)
{
	if (n > 0)
		flow->end += (size_t)n;
	else if (n == 0)
		flow->eof = true;
	if (is_empty(flow))
		went(flow, 0);
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	return n < 0 ? (int)n : 1;
}

/**
 * fill() - Read from one side
 * @pump:	The pump
 * @flow:	@in or @out of it
 *
 * Return: as came().
 */
static int fill(struct pump *pump, struct flow *flow)
{
	uint8_t *to;
	size_t room;
	ssize_t n;
	int r;

	if (!has_room(flow))
		return 0;
	r = make_room(flow);
	if (r < 0)
		return r;
	to = flow->bytes + flow->end;
	room = PUMP_BUFFER - flow->end;
	if (flow == &pump->in) {
		n = pump->stream->ops->read(pump->stream, to, room);
	} else {
		n = recv(pump->fd, to, room, MSG_DONTWAIT);
		if (n < 0)
			n = -errno;
	}
	return came(flow, n);
}

/**
 * drain() - Write to the other side, and pass an end on
 * @pump:	The pump
 * @flow:	@in or @out of it
 *
 * Return: 1 if something went; 0 if nothing can now; -errno.
 */
static int drain(struct pump *pump, struct flow *flow)
{
	const uint8_t *from;
	size_t size = flow->end - flow->start;
	ssize_t n;

	if (!size) {
		if (!flow->eof || flow->told)
			return 0;
		flow->told = true;
		if (flow == &pump->out)
			tls_session_end(pump->stream);
		else
			(void)shutdown(pump->fd, SHUT_WR); /* or it has gone */
		return 1;
	}
	from = flow->bytes + flow->start;
	if (flow == &pump->out) {
		n = pump->stream->ops->write(pump->stream, from, size);
	} else {
		n = send(pump->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			n = -errno;
	}
	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n < 0)
		return (int)n;
	went(flow, (size_t)n);
	if (flow == &pump->out)
		pump->sent += (size_t)n;
	return 1;
}

/**
 * drain_in() - The same towards the plain end, which may have gone
 * @pump:	The pump
 *
 * It may have answered before: that is still delivered, and what it did not
 * want to read is nobody's.
 *
 * Return: as drain().
 */
static int drain_in(struct pump *pump)
{
	int r = drain(pump, &pump->in);

	if (r != -EPIPE && r != -ECONNRESET)
		return r;
	went(&pump->in, pump->in.end - pump->in.start);
	pump->in.eof = pump->in.told = true;
	return 1;
}

/**
 * move() - Move what can be moved, once in each direction
 * @pump:	The pump
 *
 * Return: 1 if something was; 0; -errno if it cannot go on.
 */
static int move(struct pump *pump)
{
	int moved = 0, r;

	r = fill(pump, &pump->in);
	if (r < 0)
		return r;
	moved |= r;
	r = drain_in(pump);
	if (r < 0)
		return r;
	moved |= r;
	r = fill(pump, &pump->out);
	if (r < 0)
		return r;
	moved |= r;
	r = drain(pump, &pump->out);
	if (r < 0)
		return r;
	return moved | r;
}

/* end() - It is over. */
static void end(struct pump *pump)
{
	pump->over(pump->data);
	(void)pump_free(pump);
}

/**
 * watch() - Wait for what could move something
 * @pump:	The pump
 *
 * A client has its time anew whenever it has taken a step, or all.
 */
static void watch(struct pump *pump)
{
	uint32_t events = 0;

	tls_session_want_read(pump->stream, has_room(&pump->in));
	pump->stream->ops->want_write(pump->stream, !is_empty(&pump->out));
	if (has_room(&pump->out))
		events |= EPOLLIN;
	if (!is_empty(&pump->in))
		events |= EPOLLOUT;
	if (pump->source)
		loop_want(pump->source, events);

	if (is_empty(&pump->out)) {
		loop_arm(pump->stuck, 0);
		pump->sent = PUMP_STEP;
	} else if (pump->sent >= PUMP_STEP) {
		loop_arm(pump->stuck, clock_mono_ns() + pump->stuck_ns);
		pump->sent = 0;
	}
}

/**
 * run() - Move all that can be moved
 * @data:	The pump
 */
static void run(void *data)
{
	struct pump *pump = data;
	int r = 1;

	for (int i = 0; i < ROUNDS && r > 0; i++)
		r = move(pump);
	/* A client that has ended its side may still break the connection. */
	if (r == 0 && pump->in.eof) {
		char byte;
		ssize_t n = pump->stream->ops->read(pump->stream, &byte, 1);

		r = n < 0 && n != -EAGAIN ? (int)n : 0;
	}
	if (r < 0 || (pump->out.told && (pump->in.told || !pump->source))) {
		end(pump);
		return;
	}
	watch(pump);
	if (r > 0)
		loop_arm(pump->again, clock_mono_ns());
}

/**
 * on_ready() - Our end of the socketpair is
 * @data:	The pump
 * @events:	For what
 *
 * A closed peer is reported for ever, but what it has written is still there
 * to be read: that is done without being told.
 */
static void on_ready(void *data, uint32_t events)
{
	struct pump *pump = data;

	if (events & (EPOLLHUP | EPOLLERR))
		pump->source = loop_unwatch(pump->source);
	run(pump);
}

/* on_stuck() - The client does not take its answer. */
static void on_stuck(void *data)
{
	end(data);
}

/* pump_free() - Close both ends */
struct pump *pump_free(struct pump *pump)
{
	if (!pump)
		return NULL;
	loop_unwatch(pump->source);
	loop_unwatch(pump->stuck);
	loop_unwatch(pump->again);
	(void)fd_close(pump->fd);
	if (pump->stream)
		pump->stream->ops->close(pump->stream);
	free(pump->in.bytes);
	free(pump->out.bytes);
	free(pump);

	return NULL;
}

/**
 * start() - Put a pump on the loop
 * @pump:	With both ends
 *
 * Return: 0 or -errno.
 */
static int start(struct pump *pump)
{
	int r;

	r = loop_timer(pump->loop, on_stuck, pump, &pump->stuck);
	if (r < 0)
		return r;
	r = loop_timer(pump->loop, run, pump, &pump->again);
	if (r < 0)
		return r;
	r = loop_watch(pump->loop, pump->fd, EPOLLIN, on_ready, pump,
		       &pump->source);
	if (r < 0)
		return r;
	pump->stream->ready = run;
	pump->stream->data = pump;
	return 0;
}

/* pump_new_consume() - Carry a session's bytes */
int pump_new_consume(struct loop *loop, struct stream *stream,
		     uint32_t stuck_ms, void (*over)(void *data), void *data,
		     struct pump **ret, int *ret_fd)
{
	struct pump *pump = calloc(1, sizeof(*pump));
	_cleanup_fd_ int other = -1;
	int pair[2], r;

	if (!pump || socketpair(AF_UNIX,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				pair)) {
		r = pump ? -errno : -ENOMEM;
		free(pump);
		stream->ops->close(stream);
		return r;
	}
	pump->loop = loop;
	pump->stream = stream;
	pump->fd = pair[0];
	other = pair[1];
	pump->stuck_ns = (uint64_t)stuck_ms * 1000000;
	pump->sent = PUMP_STEP;
	pump->over = over;
	pump->data = data;
	r = start(pump);
	if (r < 0) {
		(void)pump_free(pump);
		return r;
	}

	*ret = pump;
	*ret_fd = TAKE_FD(other);
	return 0;
}
