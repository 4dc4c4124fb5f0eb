/* SPDX-License-Identifier: Apache-2.0
 *
 * workers.h - threads that run operations, each as a straight story
 */
#ifndef IOASIDD_OPS_WORKERS_H
#define IOASIDD_OPS_WORKERS_H

struct workers;

/**
 * workers_new() - Make a pool; its threads start as work comes
 * @max:	Threads at most
 * @ret:	Ends with workers_free()
 *
 * Return: 0 or -ENOMEM.
 */
int workers_new(unsigned int max, struct workers **ret);

/**
 * workers_free() - Let all work that was submitted end, then end the threads
 * @workers:	NULL is allowed
 *
 * Return: NULL.
 */
struct workers *workers_free(struct workers *workers);

/**
 * workers_submit() - Have something run on a worker, soon
 * @fn:		What; may block and may submit more
 * @data:	For @fn
 *
 * From every thread.
 *
 * Return: 0; -ENOMEM; -EAGAIN if no thread at all can be made.
 */
int workers_submit(struct workers *workers, void (*fn)(void *data),
		   void *data);

#endif
