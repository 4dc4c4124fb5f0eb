/* SPDX-License-Identifier: Apache-2.0
 *
 * workers.c - threads that run operations
 *
 * A thread is started when work waits and none is idle, up to the maximum, and
 * stays until the pool ends. Signals are the loop's: workers block them all.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/str.h"
#include "ops/workers.h"

struct job {
	void (*fn)(void *data);
	void *data;
	struct job *next;
};

/**
 * struct workers - The pool; @lock guards all of it
 * @lock:	Held for a few instructions
 * @wake:	There is work, or the pool ends
 * @first:	Waiting work, oldest first
 * @last:	Its end
 * @waiting:	How much of it there is
 * @threads:	Those started; room for @max
 * @n_threads:	How many
 * @idle:	How many of them wait
 * @ending:	No thread waits for more
 */
struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, *last;
	unsigned int waiting;
	pthread_t *threads;
	unsigned int max, n_threads, idle;
	bool ending;
};

/**
 * workers_new() - See workers.h
 */
int workers_new(unsigned int max, struct workers **ret)
{
	struct workers *workers = calloc(1, sizeof(*workers));

	if (!workers)
		return -ENOMEM;
	workers->threads = calloc(max, sizeof(*workers->threads));
	if (!workers->threads) {
		free(workers);
		return -ENOMEM;
	}
	workers->max = max;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	*ret = workers;
	return 0;
}

/**
 * next_work() - Wait for work
 * @workers:	The pool, locked
 *
 * Return: the work; NULL when the pool ends.
 */
static struct job *next_work(struct workers *workers)
{
	struct job *work;

	while (!workers->first && !workers->ending) {
		workers->idle++;
		pthread_cond_wait(&workers->wake, &workers->lock);
		workers->idle--;
	}
	work = workers->first;
	if (!work)
		return NULL;
	workers->first = work->next;
	if (!workers->first)
		workers->last = NULL;
	workers->waiting--;
	return work;
}

/**
 * worker_main() - One thread: work until the pool ends
 * @data:	The pool
 */
static void *worker_main(void *data)
{
	struct workers *workers = data;
	struct job *work;

	pthread_mutex_lock(&workers->lock);
	while ((work = next_work(workers))) {
		pthread_mutex_unlock(&workers->lock);
		work->fn(work->data);
		free(work);
		pthread_mutex_lock(&workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

/**
 * start_thread() - Start one more thread
 * @workers:	The pool, locked, with room for it
 *
 * Return: 0 or -errno of pthread_create(3).
 */
static int start_thread(struct workers *workers)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&workers->threads[workers->n_threads], NULL,
			   worker_main, workers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	workers->n_threads++;
	return 0;
}

/**
 * workers_submit() - See workers.h
 */
int workers_submit(struct workers *workers, void (*fn)(void *data),
		   void *data)
{
	struct job *work = malloc(sizeof(*work));
	int r = 0;

	if (!work)
		return -ENOMEM;
	*work = (struct job){ .fn = fn, .data = data };

	pthread_mutex_lock(&workers->lock);
	if (workers->waiting >= workers->idle &&
	    workers->n_threads < workers->max)
		r = start_thread(workers);
	/* Those that run already will come to it. */
	if (r < 0 && workers->n_threads > 0)
		r = 0;
	if (r == 0) {
		if (workers->last)
			workers->last->next = work;
		else
			workers->first = work;
		workers->last = TAKE_PTR(work);
		workers->waiting++;
		pthread_cond_signal(&workers->wake);
	}
	pthread_mutex_unlock(&workers->lock);
	free(work);
	return r;
}

/**
 * workers_free() - See workers.h
 */
struct workers *workers_free(struct workers *workers)
{
	unsigned int i, n;

	if (!workers)
		return NULL;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);

	/* The last work may have started threads: none after those have ended. */
	for (i = 0;; i++) {
		pthread_mutex_lock(&workers->lock);
		n = workers->n_threads;
		pthread_mutex_unlock(&workers->lock);
		if (i >= n)
			break;
		pthread_join(workers->threads[i], NULL);
	}
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
	free(workers->threads);
	free(workers);
	return NULL;
}
