/* SPDX-License-Identifier: Apache-2.0
 *
 * helper.h - one access to one sysfs file, in a process that can be left behind
 *
 * DOC: Theory of Operation
 *
 * A write to sysfs that unbinds or binds a driver waits, inside the kernel, for
 * device locks and for other people's descriptors. No signal ends such a wait,
 * and a process does not end before its last thread has. So the access is made
 * by a child that shares nothing with us that matters: no descriptors but the
 * one file, no handlers, its own name. We wait for it until the deadline, and
 * go on without it after that. It ends by itself when the kernel lets it go.
 *
 * The child has no exit signal. So it does not disturb who handles SIGCHLD, and
 * only a wait that asks for such children (__WALL) reaps it: ours. If we die
 * first it goes to init, with SIGCHLD, and is reaped there.
 */
#ifndef IOASIDD_KERNEL_HELPER_H
#define IOASIDD_KERNEL_HELPER_H

#include "kernel/kernel.h"

/* The name that ps(1) shows, of a helper that is not at a function. One that is
 * has the function's bus address in its place, "ioasidd-3b:00.0": by that a
 * later life of the daemon knows what it is at.
 */
#define HELPER_NAME "ioasidd-helper"

/**
 * struct helper_job - What a helper does
 * @call:	For struct kernel_stuck
 * @what:	The file, for messages
 * @bdf:	The function that it is at; NULL for none
 * @fd:		The file, open for what is to be done; borrowed
 * @text:	What to write, in one write; NULL for nothing
 * @data:	What to write instead, in one write
 * @n_data:	How many bytes of it
 * @at:		Where in the file @data goes
 * @read:	Read the file afterwards, from its beginning
 * @raw:	What is read is no text: all of the room is filled, -EIO if there
 *		is less
 */
struct helper_job {
	const char *call;
	const char *what;
	const char *bdf;
	int fd;
	const char *text;
	const void *data;
	size_t n_data;
	off_t at;
	bool read;
	bool raw;
};

/**
 * helper_run() - Start a helper and wait for it
 * @job:	What it does
 * @timeout_ms:	How long to wait
 * @ret:	What was read, cut to @size, the white space at its end cut
 *		off; may be NULL
 * @size:	Room there
 * @ret_stuck:	On -ETIMEDOUT the helper, which goes on; not touched otherwise
 * @err:	Filled on failure
 *
 * Context: every thread. Signals are blocked in the calling thread while the
 * child is made, so that none of our handlers ever runs in it.
 *
 * Return: 0; -ETIMEDOUT, device.blocked; -errno of write(2) or read(2),
 * kernel.sysfs; -errno, kernel.helper, if there could be no helper; -EIO,
 * kernel.helper, if it was killed.
 */
int helper_run(const struct helper_job *job, unsigned int timeout_ms,
	       char *ret, size_t size, struct kernel_stuck *ret_stuck,
	       struct error *err);

/**
 * helper_ended() - Has a helper that was left behind ended? Reap it if so.
 * @stuck:	From helper_run(), of this process or of one before it
 *
 * Return: true if it has ended, or if @stuck is empty or of another boot.
 */
bool helper_ended(const struct kernel_stuck *stuck);

/**
 * helper_find() - Is a helper at work on a function?
 * @proc:	An open procfs
 * @bdf:	The function; NULL for any
 * @ret:	Which
 *
 * Functions that differ only in their PCI domain are taken for each other.
 *
 * Return: 1 if there is one that has not ended; 0 if there is none; -errno if
 * procfs cannot be read: then there may be one.
 */
int helper_find(int proc, const char *bdf, struct kernel_stuck *ret);

/**
 * helper_wait() - Wait for a helper that is not our child
 * @stuck:	From helper_find()
 * @timeout_ms:	How long
 *
 * Return: true if it has ended.
 */
bool helper_wait(const struct kernel_stuck *stuck, unsigned int timeout_ms);

#endif
