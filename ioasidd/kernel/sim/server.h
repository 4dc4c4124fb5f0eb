/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h - the machine's process: what its parts share
 *
 * DOC: Theory of Operation
 *
 *	spawn.c		makes the process
 *	server.c	its loop: connections, and when it ends
 *	answer.c	what is answered to ioasidd-sim
 *	end.c		the machine's ends of descriptors: calls on them, last close
 *	announce.c	uevents
 *
 * One thread runs the loop (base/loop.h). It reads what comes and never waits:
 * whatever may wait (a driver, a reset, somebody's last close) is done by a
 * thread of its own, which has the machine's lock while it works and not while
 * it waits. There may be many of them: each blocked unbind is one.
 */
#ifndef IOASIDD_KERNEL_SIM_SERVER_H
#define IOASIDD_KERNEL_SIM_SERVER_H

#include <stdatomic.h>

#include "base/loop.h"
#include "kernel/sim/control.h"
#include "kernel/sim/sim.h"

/**
 * struct call - A call that takes a device's lock and has not come back; under
 *		 the machine's lock
 * @number:	Of sim_call_new()
 * @bdf:	The function
 * @name:	"unbind"
 * @next:	In struct server
 */
struct call {
	uint64_t number;
	char bdf[BDF_SIZE];
	char name[16];
	struct call *next;
};

struct end;
struct subscriber;
struct end;

/**
 * struct connection - Of an ioasidd-sim; of the loop's thread
 * @server:	Whose it is
 * @fd:		The connection
 * @source:	In the loop
 * @peer:	Who it is
 * @present:	It has said hello, and stays
 * @next:	In struct server
 */
struct connection {
	struct server *server;
	int fd;
	struct loop_source *source;
	pid_t peer;
	bool present;
	struct connection *next;
};

/**
 * struct server - The machine's process
 * @sim:		The machine
 * @loop:		Its loop; only loop_post() from other threads
 * @listen_fd:		Where ioasidd-sim connects; non-blocking
 * @listener:		Its source
 * @linger:		Runs out when nobody has needed the machine for a while
 * @linger_ns:		How long that is
 * @retry:		Tells those who missed uevents so
 * @hello:		What it says of itself; @next_call is the machine's
 * @connections:		Of the loop's thread
 * @ends:		Ends of descriptors, likewise
 * @n_ends:		How many, and those that are being closed
 * @n_jobs:		Threads
 * @last_closing:	Number of the newest last close; of the loop's thread
 * @closing:		Last closes that are not over; under the machine's lock
 * @calls:		likewise
 * @subscribers:	likewise
 */
struct server {
	struct sim *sim;
	struct loop *loop;
	int listen_fd;
	struct loop_source *listener, *linger, *retry;
	uint64_t linger_ns;
	struct control_hello hello;
	struct connection *connections;
	struct end *ends;
	unsigned int n_ends;
	atomic_uint n_jobs;
	uint64_t last_closing;
	struct end *closing;
	struct call *calls;
	struct subscriber *subscribers;
};

/* --- server.c --- */

/**
 * machine_serve() - Be the machine until nobody needs it any more
 * @sim:	The machine
 * @hello:	@description and @name are filled
 * @listener:	A listening socket
 * @linger_s:	How long it goes on without a daemon and without an open file
 *
 * Return: 0; -errno if it could not begin.
 */
int machine_serve(struct sim *sim, const struct control_hello *hello,
		  int listener, unsigned int linger_s);

/**
 * server_job() - Do something in a thread of its own
 * @fn:		What; it frees @data
 *
 * Return: 0; -ENOMEM: there are too many, nothing is done.
 */
int server_job(struct server *server, void (*fn)(void *data), void *data);

/* server_idle() - On the loop's thread: begin to linger if nobody is there. */
void server_idle(struct server *server);

/* server_daemon() - Is a process an ioasidd-sim of this machine? On the loop's
 * thread.
 */
bool server_daemon(const struct server *server, pid_t pid);

/* --- answer.c --- */

/**
 * answer_consume() - Answer a request, now or in a thread of its own
 * @fd:		The connection; closed when it is answered
 * @request:	Not checked
 */
void answer_consume(struct server *server, int fd,
		    const struct control_request *request);

/* answer_hello() - Answer CONTROL_HELLO; the connection stays. -errno. */
int answer_hello(struct server *server, int fd);

/* --- end.c --- */

/**
 * ends_hear() - Hear of what was closed until now; on the loop's thread,
 *		 without the machine's lock
 * @but:	Is left alone; may be NULL
 *
 * To be called before a call is taken.
 */
void ends_hear(struct server *server, const struct end *but);

/**
 * end_settle() - Let last closes be over that came before a call
 * @closing:	Their newest number when the call came
 *
 * On a real machine close(2) comes back when it is over, so that who has closed
 * and calls then finds it done. Not on the loop's thread, with the machine's
 * lock.
 */
void end_settle(struct server *server, uint64_t closing);

/**
 * end_new_consume() - Give out a descriptor of an open file; on the loop's
 *		       thread, without the machine's lock
 * @file:	The file; closed with its last descriptor, and on failure
 * @ret_fd:	The descriptor
 *
 * Return: 0 or -errno.
 */
int end_new_consume(struct server *server, struct sim_file *file, int *ret_fd);

/* --- announce.c --- */

/* announce_start() - Hear the machine's uevents. Return: 0 or -errno. */
int announce_start(struct server *server);

/* announce_subscribe() - Give somebody the uevents from now on; on the loop's
 * thread, without the machine's lock. Return: 0 or -errno.
 */
int announce_subscribe(struct server *server, int *ret_fd);

#endif
