/* SPDX-License-Identifier: Apache-2.0
 *
 * link.h - how ioasidd-sim reaches its machine, and starts it
 */
#ifndef IOASIDD_KERNEL_SIM_LINK_H
#define IOASIDD_KERNEL_SIM_LINK_H

#include "kernel/sim/control.h"
#include "kernel/sim/sim.h"

/**
 * link_connect() - Connect to the machine
 * @dir:	State folder
 * @ret_fd:	The connection
 *
 * Return: 0; -ENOENT or -ECONNREFUSED if there is no machine; -errno.
 */
int link_connect(int dir, int *ret_fd);

/**
 * link_send() - Send a request
 * @fd:		Connection
 * @op:		Which
 * @request:	@magic and @op are filled here
 *
 * Return: 0 or -errno.
 */
int link_send(int fd, enum control_op op, struct control_request *request);

/**
 * link_receive() - Receive an answer
 * @fd:		Connection
 * @deadline_ns: CLOCK_MONOTONIC; 0 for none
 * @ret:	The answer
 * @ret_fd:	What came with it, -1 for nothing; NULL: nothing may come
 *
 * Return: 0; -ETIMEDOUT; -ECONNRESET if the machine is gone; -EPROTO if it is
 * of another release; -errno.
 */
int link_receive(int fd, uint64_t deadline_ns, struct control_reply *ret,
		 int *ret_fd);

/**
 * link_read_memory() - Read what came as a memfd
 * @fd:		It
 * @ret:	Its content, with a NUL behind it; to be freed
 * @ret_size:	Bytes without the NUL
 *
 * Return: 0 or -errno.
 */
int link_read_memory(int fd, char **ret, size_t *ret_size);

/* --- spawn.c --- */

/**
 * spawn_machine() - Start the machine's process
 * @dir:	State folder, locked; no machine answers there
 * @sim:	The machine; stays the caller's, the process has a copy
 * @hello:	@description and @name are filled
 * @linger_s:	See machine_serve()
 *
 * Before any thread is started. The machine can be connected to when this
 * returns.
 *
 * Return: 0 or -errno.
 */
int spawn_machine(int dir, struct sim *sim, const struct control_hello *hello,
		  unsigned int linger_s, struct error *err);

#endif
