/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - one HTTP/2 connection, and the calls on it
 *
 * DOC: Theory of Operation
 *
 * nghttp2 reads and writes no descriptor: bytes of the stream go into it, and
 * it calls back; what is to be answered is given to it, and it makes bytes. A
 * session does both in turns: all that can be read goes in, then all that there
 * is to say goes out, gathered, as far as the stream takes it.
 *
 * nghttp2 ends streams while it reads and while it writes, and a call is freed
 * with its stream. So whoever answers a call from outside (a reply of ioasidd,
 * a timer) calls session_wake() as the last thing and touches no call after it.
 * A session that has broken is not ended in the middle of things but by its own
 * timer, in the next round of the loop.
 */
#ifndef API_GRPC_SESSION_H
#define API_GRPC_SESSION_H

#include <nghttp2/nghttp2.h>

#include "grpc/bucket.h"
#include "grpc/call.h"
#include "grpc/grpc.h"
#include "grpc/reflection.h"

/* Bytes that are gathered before they are written. */
#define GATHER_MAX 65536

/* Answers of a connection that were not taken yet, bytes. Above the first no
 * call begins and streams wait; above the second an answer is lost, and its
 * call fails.
 */
#define OUTPUT_HIGH (4 << 20)
#define OUTPUT_MAX (8 << 20)

/* Requests of a connection that have not ended, bytes. */
#define INPUT_MAX (4 << 20)

/**
 * struct grpc - All of gRPC's connections
 * @loop:	Where they live
 * @link:	Where calls go
 * @limits:	Borrowed
 * @closed:	Tells that a connection is over
 * @data:	For @closed
 * @contract:	What can be called
 * @reflection:	What is told of it
 * @callbacks:	For nghttp2
 * @options:	For nghttp2
 * @sessions:	All of them
 * @serving:	What the health service says
 * @gather:	Where bytes to be written are gathered
 */
struct grpc {
	struct loop *loop;
	struct link *link;
	const struct limits *limits;
	void (*closed)(void *data, uint64_t connection);
	void *data;
	const struct contract *contract;
	const struct reflection_tables *reflection;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *options;
	struct session *sessions;
	bool serving;
	uint8_t gather[GATHER_MAX];
};

/**
 * struct session - One connection
 * @grpc:	Whose
 * @next:	In its list
 * @prev:	In its list
 * @connection:	Its number on the link
 * @stream:	Its bytes
 * @h2:		nghttp2's side of it
 * @limits:	As they were when it came
 * @timer:	For the next of all that is waited for
 * @calls:	All that are open
 * @input_left:	Of INPUT_MAX
 * @queued:	Answers that were not taken yet, bytes
 * @moved_ns:	When there were none, or one of them was last taken
 * @starved:	Some stream waits until @queued is lower
 * @left:	Bytes that the stream did not take; NULL for none
 * @left_size:	How many
 * @left_at:	How many of them it has taken since
 * @busy:	Bytes are being read or written: session_wake() is for later
 * @again:	There is more to be read, of which nobody will tell
 * @leaving:	It has been told goodbye: its client is to close it
 * @why:	It is over, and why; NULL while it is not
 * @heard_ns:	When the client last said anything
 * @ping_ns:	When it was asked whether it is there; 0 if it was not
 * @headers_ns:	Since when it has been sending headers; 0 if it is not
 * @stuck_ns:	Since when it has not been reading; 0 if it has
 * @nuisance:	Frames that are cheap to send
 * @resets:	Streams that it lets begin in vain
 */
struct session {
	struct grpc *grpc;
	struct session *next;
	struct session *prev;
	uint64_t connection;
	struct stream *stream;
	nghttp2_session *h2;
	struct limits limits;
	struct loop_source *timer;
	struct grpc_call *calls;
	size_t input_left;
	size_t queued;
	uint64_t moved_ns;
	bool starved;
	uint8_t *left;
	size_t left_size;
	size_t left_at;
	bool busy;
	bool again;
	bool leaving;
	const char *why;
	uint64_t heard_ns;
	uint64_t ping_ns;
	uint64_t headers_ns;
	uint64_t stuck_ns;
	struct bucket nuisance;
	struct bucket resets;
};

/**
 * session_new_consume() - Begin a connection
 * @grpc:	Whose
 * @connection:	Its number
 * @stream:	Taken over in any case
 *
 * Return: 0; -ENOMEM; -errno if nghttp2 does not like it.
 */
int session_new_consume(struct grpc *grpc, uint64_t connection,
			struct stream *stream);

/* session_free() - End a connection now, telling nobody: its calls are
 * cancelled, its stream is closed.
 */
void session_free(struct session *session);

/**
 * session_wake() - There is something to be said
 * @session:	Any call on it may be gone afterwards; it is not itself
 */
void session_wake(struct session *session);

/**
 * session_calm() - It misbehaves: end it, with ENHANCE_YOUR_CALM
 * @session:	While nghttp2 reads or writes
 * @why:	For the log and the client
 */
void session_calm(struct session *session, const char *why);

/* session_goodbye() - Say that no further call is taken, as far as that can be
 * said at once. For its end.
 */
void session_goodbye(struct session *session);

/**
 * session_step() - Read, if it is time to, and write
 * @session:	Any call on it may be gone afterwards; it is not itself
 *
 * Return: false if it is over.
 */
bool session_step(struct session *session, bool read);

/* frames.c: what nghttp2 calls. */
int frames_callbacks(nghttp2_session_callbacks **ret);

/* frames_options() - What nghttp2 itself is to limit. */
int frames_options(nghttp2_option **ret);

#endif
