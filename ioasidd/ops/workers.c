/* SPDX-License-Identifier: Apache-2.0
 *
 * workers.c - threads that run operations
 *
 * A thread is started when work waits and none is idle, up to the maximum, and
 * ends when it has had nothing to do for a while: its stack need not stay, nor,
 * after the last of them, the memory that they had together.
 * Signals are the loop's: workers block them all.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"
#include "ops/workers.h"

/* How long a thread waits for work. */
#define IDLE_SECONDS 5

struct job {
	void (*fn)(void *data);
	void *data;
	struct job *next;
};

/**
 * struct slot - Room for one thread
 * @thread:	Of the pool; to be joined if @used
 * @used:	There is, or was, one
 * @ended:	It was: it takes no lock any more
 */
struct slot {
	pthread_t thread;
	bool used, ended;
};

/**
 * struct workers - The pool; @lock guards all of it
 * @lock:	Held for a few instructions
 * @wake:	There is work, or the pool ends
 * @first:	Waiting work, oldest first
 * @last:	Its end
 * @waiting:	How much of it there is
 * @slots:	Room for @max threads
 * @n_threads:	How many have not ended
 * @idle:	How many of them wait
 * @ending:	No thread waits for more
 */
struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, *last;
	unsigned int waiting;
	struct slot *slots;
	unsigned int max, n_threads, idle;
	bool ending;
};

/**
 * workers_new() - See workers.h
 */
int workers_new(unsigned int max, struct workers **ret)
{
	struct workers *workers = calloc(1, sizeof(*workers));
	pthread_condattr_t attributes;

	if (!workers)
		return -ENOMEM;
	workers->slots = calloc(max, sizeof(*workers->slots));
	if (!workers->slots) {
		free(workers);
		return -ENOMEM;
	}
	workers->max = max;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	*ret = workers;
	return 0;
}

/**
 * next_work() - Wait for work
 * @workers:	The pool, locked
 *
 * Return: the work; NULL when the thread is to end.
 */
static struct job *next_work(struct workers *workers)
{
	struct timespec until;
	struct job *work;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	while (!workers->first && !workers->ending) {
		int r;

		workers->idle++;
		r = pthread_cond_timedwait(&workers->wake, &workers->lock,
					   &until);
		workers->idle--;
		if (r == ETIMEDOUT && !workers->first)
			return NULL;
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
 * give_back() - The last worker ends: what the work had is free by now
 *
 * How much is in use is told, since what is resident does not: memory goes back
 * in whole pages, and what is kept lies in the midst of what was freed.
 */
static void give_back(void)
{
	struct mallinfo2 info;

	(void)malloc_trim(0);
	info = mallinfo2();
	log_debug("no work: %zu bytes of memory are in use",
		  info.uordblks + info.hblkhd);
}

/**
 * worker_main() - One thread: work until the pool ends
 * @data:	The pool
 */
static void *worker_main(void *data)
{
	struct workers *workers = data;
	struct job *work;
	bool last;

	pthread_mutex_lock(&workers->lock);
	while ((work = next_work(workers))) {
		pthread_mutex_unlock(&workers->lock);
		work->fn(work->data);
		free(work);
		pthread_mutex_lock(&workers->lock);
	}
	last = --workers->n_threads == 0;
	for (unsigned int i = 0; i < workers->max; i++)
		if (workers->slots[i].used &&
		    pthread_equal(workers->slots[i].thread, pthread_self()))
			workers->slots[i].ended = true;
	pthread_mutex_unlock(&workers->lock);
	if (last)
		give_back();
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
	struct slot *slot = workers->slots;
	sigset_t all, before;
	int r;

	while (slot->used && !slot->ended)
		slot++;
	if (slot->used)
		pthread_join(slot->thread, NULL);
	*slot = (struct slot){ 0 };

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&slot->thread, NULL, worker_main, workers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return -r;
	slot->used = true;
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
 * take_thread() - Take a thread that is to be joined
 * @workers:	The pool
 * @ret:	One of its threads; its slot is free
 *
 * Return: false if there is none.
 */
static bool take_thread(struct workers *workers, pthread_t *ret)
{
	bool found = false;

	pthread_mutex_lock(&workers->lock);
	for (unsigned int i = 0; i < workers->max && !found; i++) {
		found = workers->slots[i].used;
		if (!found)
			continue;
		*ret = workers->slots[i].thread;
		workers->slots[i] = (struct slot){ 0 };
	}
	pthread_mutex_unlock(&workers->lock);
	return found;
}

/**
 * workers_free() - See workers.h
 */
struct workers *workers_free(struct workers *workers)
{
	pthread_t thread;

	if (!workers)
		return NULL;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);

	/* The last work may start threads: until there is none. */
	while (take_thread(workers, &thread))
		pthread_join(thread, NULL);
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
	free(workers->slots);
	free(workers);
	return NULL;
}
