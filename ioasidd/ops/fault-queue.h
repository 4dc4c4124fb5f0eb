/* SPDX-License-Identifier: Apache-2.0
 *
 * fault-queue.h - descriptors of the fault queues of page tables, kept for
 *		   holders
 *
 * Who has claimed a lease's devices is the only one to change its fault queues.
 * As with a lease's other descriptors the service manager is given copies, if
 * there is one that keeps them, under the name of the page table.
 */
#ifndef IOASIDD_OPS_FAULT_QUEUE_H
#define IOASIDD_OPS_FAULT_QUEUE_H

#include "ops/host.h"

struct fault_queues;

/* fault_queues_new() - For all leases. Return: NULL without memory. */
struct fault_queues *fault_queues_new(void);

/* fault_queues_free() - Close all. Return: NULL. */
struct fault_queues *fault_queues_free(struct fault_queues *all);

/**
 * fault_queue_keep_consume() - Keep the descriptor of a page table's fault queue
 * @table:	The page table's name
 * @fd:		Closed on failure
 * @stored:	The service manager has it already
 *
 * Return: 0 or -ENOMEM.
 */
int fault_queue_keep_consume(struct host *host, const char *table, int fd,
			     bool stored, struct error *err);

/* fault_queue_adopt() - Take over what the service manager has kept of a page
 * table. Return: whether there was something.
 */
bool fault_queue_adopt(struct host *host, const char *table);

/* fault_queue_copy() - A copy of it, for the holder. Return: the descriptor;
 * -ENOENT pagetable.no-faults; -errno.
 */
int fault_queue_copy(struct host *host, const char *table, struct error *err);

/* fault_queue_drop() - Close it, if there is one. */
void fault_queue_drop(struct host *host, const char *table);

#endif
