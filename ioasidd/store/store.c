/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c - the writer thread: many callers, one commit
 *
 * DOC: Theory of Operation
 *
 * A caller's job stands on its own stack and waits there. The writer takes all
 * that are queued as one batch: BEGIN IMMEDIATE, each job in a savepoint,
 * COMMIT; meanwhile the next batch queues up.
 *
 * A job that fails is rolled back to its savepoint, and the batch goes on
 * without it. Some failures, such as one for want of memory, make SQLite roll
 * back the whole transaction: then the batch is begun again without the job.
 *
 * When the disk fails, or BEGIN or COMMIT fails for whatever reason, the store
 * is dead: after a COMMIT its record may have reached the disk all the same,
 * and would be found there by the next start.
 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/db.h"

/**
 * struct job - A caller that waits; on its stack
 * @next:	In the queue or the batch
 * @fn:		What to do
 * @data:	For @fn
 * @err:	The caller's; written by the writer until @done
 * @r:		The result, likewise
 * @failed:	@r is final whatever becomes of the batch
 * @done:	Guarded by the store's lock
 * @wake:	Signalled with @done
 */
struct job {
	struct job *next;
	store_fn fn;
	void *data;
	struct error *err;
	int r;
	bool failed;
	bool done;
	pthread_cond_t wake;
};

/**
 * struct store - The store
 * @db:		The writer's, once it has begun to write
 * @on_dead:	Called once, by the writer
 * @on_dead_data: For it
 * @writer:	The thread
 * @dead:	Set by the writer, read by all
 * @why:	What made it dead; the writer's
 * @lock:	Guards what follows
 * @work:	Signalled when there is something in the queue, or at the end
 * @queue:	Jobs, oldest first
 * @queue_end:	Where the next one is hung
 * @stopping:	The writer ends when the queue is empty
 * @commits:	How many batches have become durable
 */
struct store {
	struct db db;
	void (*on_dead)(void *data);
	void *on_dead_data;
	pthread_t writer;
	_Atomic bool dead;
	struct error why;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *queue;
	struct job **queue_end;
	bool stopping;
	uint64_t commits;
};

/**
 * die() - End all writing
 * @store:	The store
 * @batch:	Jobs that did not fail by themselves are told so
 *
 * The reason in @store->why has been filled.
 */
static void die(struct store *store, struct job *batch)
{
	bool first = !atomic_exchange(&store->dead, true);

	/* Already rolled back after some errors. */
	(void)db_run(&store->db, DB_ROLLBACK, NULL);

	for (struct job *job = batch; job; job = job->next) {
		if (job->failed)
			continue;
		job->r = error_set(job->err, -EIO, ERROR_DAEMON_READ_ONLY,
				   "the state cannot be written any more: %s",
				   store->why.msg);
	}

	if (first && store->on_dead)
		store->on_dead(store->on_dead_data);
}

/**
 * run_job() - Run one job in a savepoint of its own
 * @store:	The store
 * @job:	@r and @failed are set
 *
 * Return: 0 to go on with the batch; -EAGAIN if SQLite rolled back all of it;
 * -EIO if the disk failed.
 */
static int run_job(struct store *store, struct job *job)
{
	struct store_tx tx = { .db = &store->db };
	int r;

	r = db_run(&store->db, DB_SAVEPOINT, &store->why);
	if (r < 0)
		return -EIO;

	job->r = job->fn(&tx, job->data, job->err);
	if (!job->r)
		job->r = tx.r;
	if (tx.r == -EIO || tx.r == -EUCLEAN) {
		store->why = tx.why;
		return -EIO;
	}

	job->failed = job->r != 0;
	if (job->failed && sqlite3_get_autocommit(store->db.handle))
		return -EAGAIN;
	if (job->failed && db_run(&store->db, DB_ROLLBACK_TO, &store->why))
		return -EIO;

	return db_run(&store->db, DB_RELEASE, &store->why) ? -EIO : 0;
}

/**
 * try_batch() - Run a batch once, without the jobs that have failed before
 * @store:	The store
 * @batch:	The jobs
 *
 * Return: as run_job().
 */
static int try_batch(struct store *store, struct job *batch)
{
	if (db_run(&store->db, DB_BEGIN, &store->why))
		return -EIO;

	for (struct job *job = batch; job; job = job->next) {
		int r = job->failed ? 0 : run_job(store, job);

		if (r < 0)
			return r;
	}

	return db_run(&store->db, DB_COMMIT, &store->why) ? -EIO : 0;
}

/**
 * run_batch() - Make a batch durable
 * @store:	The store
 * @batch:	The jobs; each has its result afterwards
 *
 * Each try that has to be repeated has failed one more job, so there is an end.
 *
 * Return: true if it was committed.
 */
static bool run_batch(struct store *store, struct job *batch)
{
	int r = store_dead(store) ? -EIO : -EAGAIN;

	while (r == -EAGAIN)
		r = try_batch(store, batch);
	if (r < 0)
		die(store, batch);

	return r == 0;
}

/**
 * finish() - Let the callers of a batch go
 * @batch:	The jobs; gone when the lock is released
 *
 * Called with the lock held.
 */
static void finish(struct job *batch)
{
	struct job *next;

	for (; batch; batch = next) {
		next = batch->next;
		batch->done = true;
		pthread_cond_signal(&batch->wake);
	}
}

/**
 * write_all() - The writer thread
 * @data:	The store
 *
 * Return: NULL, when the store is closed.
 */
static void *write_all(void *data)
{
	struct store *store = data;

	pthread_mutex_lock(&store->lock);
	for (;;) {
		struct job *batch = store->queue;
		bool committed;

		if (!batch) {
			if (store->stopping)
				break;
			pthread_cond_wait(&store->work, &store->lock);
			continue;
		}

		store->queue = NULL;
		store->queue_end = &store->queue;
		pthread_mutex_unlock(&store->lock);
		committed = run_batch(store, batch);
		pthread_mutex_lock(&store->lock);
		store->commits += committed;
		finish(batch);
	}
	pthread_mutex_unlock(&store->lock);

	return NULL;
}

/**
 * start_writer() - Start the writer thread, which takes no signals
 * @store:	The store
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int start_writer(struct store *store, struct error *err)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&store->writer, NULL, write_all, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "start the writer thread: %m");
	(void)pthread_setname_np(store->writer, "store");

	return 0;
}

/* store_open() - Open or make the database, and migrate it */
int store_open(const char *dir, void (*on_dead)(void *data), void *data,
	       struct store **ret, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "%m");
	store->on_dead = on_dead;
	store->on_dead_data = data;
	store->queue_end = &store->queue;
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->work, NULL);

	r = db_open(dir, &store->db, err);
	if (r < 0)
		goto undo_store;
	r = start_writer(store, err);
	if (r < 0)
		goto undo_db;

	*ret = store;
	return 0;

undo_db:
	db_deinit(&store->db);
undo_store:
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store);
	return r;
}

/* store_close() - Finish queued writes and close */
struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;

	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->writer, NULL);

	db_deinit(&store->db);
	pthread_cond_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	free(store);

	return NULL;
}

/* store_write() - Write rows and wait until they are durable */
int store_write(struct store *store, store_fn fn, void *data,
		struct error *err)
{
	struct job job = {
		.fn = fn,
		.data = data,
		.err = err,
		.wake = PTHREAD_COND_INITIALIZER,
	};

	assert(!pthread_equal(pthread_self(), store->writer));
	pthread_mutex_lock(&store->lock);
	assert(!store->stopping);
	*store->queue_end = &job;
	/* cppcheck-suppress autoVariables ; we stay until the job is done */
	store->queue_end = &job.next;
	pthread_cond_signal(&store->work);
	while (!job.done)
		pthread_cond_wait(&job.wake, &store->lock);
	pthread_mutex_unlock(&store->lock);
	pthread_cond_destroy(&job.wake);

	return job.r;
}

/* store_dead() - Has writing become impossible? */
bool store_dead(const struct store *store)
{
	return store->dead;
}

/* store_load() - Read all rows */
int store_load(struct store *store, const struct store_loader *loader,
	       void *data, struct error *err)
{
	return db_load(&store->db, loader, data, err);
}

/* store_commits() - How many batches have become durable */
uint64_t store_commits(struct store *store)
{
	uint64_t commits;

	pthread_mutex_lock(&store->lock);
	commits = store->commits;
	pthread_mutex_unlock(&store->lock);

	return commits;
}

/* store_pages() - Pages of the database file */
int64_t store_pages(struct store *store)
{
	int64_t pages = 0;
	int r = db_number(store->db.handle, "PRAGMA page_count", &pages, NULL);

	return r < 0 ? r : pages;
}
