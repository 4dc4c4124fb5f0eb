/* SPDX-License-Identifier: Apache-2.0
 *
 * fault-queue.c - descriptors of the fault queues of page tables, kept for
 *		   holders
 */
#include "ops/fault-queue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "ops/context.h"
#include "ops/stored.h"
#include "store/fdstore.h"

/**
 * struct fault_queue - One of them
 * @next:	In the list
 * @table:	Name of the page table
 * @fd:		Its descriptor
 * @stored:	The service manager was given a copy
 */
struct fault_queue {
	struct fault_queue *next;
	char table[NAME_SIZE];
	int fd;
	bool stored;
};

/**
 * struct fault_queues - All of them
 * @lock:	Guards all of it
 * @list:	In no order
 */
struct fault_queues {
	pthread_mutex_t lock;
	struct fault_queue *list;
};

/**
 * fault_queues_new() - See fault-queue.h
 */
struct fault_queues *fault_queues_new(void)
{
	struct fault_queues *all = calloc(1, sizeof(*all));

	if (all)
		pthread_mutex_init(&all->lock, NULL);
	return all;
}

/**
 * fault_queues_free() - See fault-queue.h
 */
struct fault_queues *fault_queues_free(struct fault_queues *all)
{
	struct fault_queue *one;

	if (!all)
		return NULL;
	while ((one = all->list)) {
		all->list = one->next;
		fd_close(one->fd);
		free(one);
	}
	pthread_mutex_destroy(&all->lock);
	free(all);
	return NULL;
}

/**
 * stored_name() - What it is called with the service manager
 * @table:	The page table's name
 */
static void stored_name(const char *table, char ret[FDSTORE_NAME_MAX + 1])
{
	(void)str_format(ret, FDSTORE_NAME_MAX + 1, "faults-%s",
			 str_starts(table, "pageTables/")); /* is shorter */
}

/**
 * store() - Have the service manager keep it, if there is one that does
 *
 * If it cannot, the queue is one that ends with us, unless its holder has it.
 */
static bool store(struct host *host, const char *table, int fd)
{
	char name[FDSTORE_NAME_MAX + 1];
	struct error err = ERROR_NULL;

	if (!stored_take_room(contexts_stored(host->contexts), table, 1))
		return false;
	stored_name(table, name);
	if (fdstore_put(name, fd, &err) < 0)
		log_problem(LOG_LEVEL_WARNING, &err,
			    "%s: the service manager does not keep its fault queue",
			    table);
	return true;
}

/**
 * fault_queue_keep_consume() - See fault-queue.h
 */
int fault_queue_keep_consume(struct host *host, const char *table, int fd,
			     bool stored, struct error *err)
{
	struct fault_queues *all = contexts_faults(host->contexts);
	struct fault_queue *one = calloc(1, sizeof(*one));

	if (!one) {
		fd_close(fd);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a fault queue");
	}
	(void)str_copy(one->table, sizeof(one->table), table); /* as long */
	one->fd = fd;
	one->stored = stored || store(host, table, fd);
	pthread_mutex_lock(&all->lock);
	one->next = all->list;
	all->list = one;
	pthread_mutex_unlock(&all->lock);
	return 0;
}

/**
 * fault_queue_adopt() - See fault-queue.h
 */
bool fault_queue_adopt(struct host *host, const char *table)
{
	char name[FDSTORE_NAME_MAX + 1];
	struct error err = ERROR_NULL;
	int fd;

	stored_name(table, name);
	fd = parked_find(host->parked, name);
	if (fd < 0)
		return false;
	(void)stored_take_room(contexts_stored(host->contexts), table,
			       1); /* it is there */
	if (fault_queue_keep_consume(host, table, fd, true, &err) == 0)
		return true;
	log_problem(LOG_LEVEL_WARNING, &err, "%s: its fault queue is lost",
		    table);
	return false;
}

/**
 * fault_queue_copy() - See fault-queue.h
 */
int fault_queue_copy(struct host *host, const char *table, struct error *err)
{
	struct fault_queues *all = contexts_faults(host->contexts);
	const struct fault_queue *one;
	int fd = -ENOENT;

	pthread_mutex_lock(&all->lock);
	one = all->list;
	while (one && !str_eq(one->table, table))
		one = one->next;
	if (one) {
		fd = fcntl(one->fd, F_DUPFD_CLOEXEC, 3);
		fd = fd < 0 ? -errno : fd;
	}
	pthread_mutex_unlock(&all->lock);
	if (!one)
		return error_set(err, -ENOENT, ERROR_PAGETABLE_NO_FAULTS,
				 "ioasidd has no descriptor of a fault queue of %s",
				 table);
	if (fd < 0)
		return error_set(err, fd, ERROR_KERNEL_SYSTEM,
				 "duplicate the fault queue of %s: %m", table);
	return fd;
}

/**
 * fault_queue_drop() - See fault-queue.h
 */
void fault_queue_drop(struct host *host, const char *table)
{
	struct fault_queues *all = contexts_faults(host->contexts);
	char name[FDSTORE_NAME_MAX + 1];
	struct fault_queue **at, *one;
	struct error err = ERROR_NULL;

	pthread_mutex_lock(&all->lock);
	at = &all->list;
	while (*at && !str_eq((*at)->table, table))
		at = &(*at)->next;
	one = *at;
	if (one)
		*at = one->next;
	pthread_mutex_unlock(&all->lock);
	if (!one)
		return;
	if (one->stored) {
		stored_give_room(contexts_stored(host->contexts), 1);
		stored_name(table, name);
		if (fdstore_remove(name, &err) < 0)
			log_problem(LOG_LEVEL_WARNING, &err,
				    "'%s' is kept in vain", name);
	}
	fd_close(one->fd);
	free(one);
}
