/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.h - the memory behind mappings: of processes, of files
 *
 * DOC: Theory of Operation
 *
 * A struct sim_memory is what one MAP or MAP_FILE has named; copies of the
 * mapping share it. While it is only mapped nobody looks at it. Pinned, page by
 * page, it has been found there and is accounted, and stays so whatever becomes
 * of its process: as far as the client can see it is the kernel's pinned page.
 * The bytes themselves are still the process's: if that has gone, what a device
 * reads is zero and what it writes is lost.
 *
 * A process is known by /proc/PID/mem: that stays the same memory when the
 * process executes another program, and is empty when the last thread has gone.
 */
#ifndef IOASIDD_KERNEL_SIM_MEMORY_H
#define IOASIDD_KERNEL_SIM_MEMORY_H

#include "kernel/sim/account.h"
#include "kernel/sim/sim.h"

/* Capabilities as <linux/capability.h> numbers them. */
#define SIM_CAP_IPC_LOCK 14
#define SIM_CAP_SYS_RESOURCE 24

/* sim_caller_capable() - Does the caller have a capability in effect? */
bool sim_caller_capable(const struct sim_caller *caller, unsigned int cap);

/**
 * struct sim_span - Pages that are pinned equally often
 * @first:	Page, counted from the memory's begin
 * @last:	Likewise, inclusive
 * @count:	How often, not 0
 */
struct sim_span {
	uint64_t first, last;
	unsigned int count;
};

/**
 * struct sim_backing - A file that mappings are of
 * @sim:	Of which machine it is; @next there
 * @refs:	One for each memory that is of it
 * @fd:		The only descriptor of it here, however often it is mapped: a
 *		guest's memory may come in more pieces than a process may have
 *		descriptors
 * @mode:	How it is open, of O_ACCMODE
 * @dev:	Which file it is; @ino likewise
 */
struct sim_backing {
	struct sim *sim;
	struct sim_backing *next;
	unsigned int refs;
	int fd, mode;
	dev_t dev;
	ino_t ino;
};

/**
 * struct sim_memory - What a MAP or MAP_FILE has named
 * @backing:	The file; NULL for memory of a process
 * @fd:		Its descriptor; -1 for memory of a process
 * @pinnable:	It is a file of a kind that can be pinned
 * @huge:	It is of hugetlbfs, which cannot be written to by write(2)
 * @address:	Where it begins, whole pages
 * @writeable:	It was mapped for writing at first
 * @process:	Who has mapped it
 * @account:	On whose account it is pinned; NULL for nobody's
 * @spans:	What is pinned, sorted
 */
struct sim_memory {
	unsigned int refs;
	struct sim_backing *backing;
	int fd;
	bool pinnable, huge;
	uint64_t address;
	bool writeable;
	struct sim_account *process, *account;
	struct sim_span *spans;
	size_t n_spans;
};

/**
 * sim_memory_of_process() - Memory of the caller
 * @address:	Where in it
 * @writeable:	A mapping for writing is to be made
 * @per_process: Account it to the process, not to its user
 * @ret:	One reference
 *
 * Nothing is looked at yet.
 *
 * Return: 0; -ENOMEM; -EFAULT if the process has gone.
 */
int sim_memory_of_process(struct sim *sim, const struct sim_caller *caller,
			  uint64_t address, bool writeable, bool per_process,
			  struct sim_memory **ret);

/**
 * sim_memory_of_file() - Pages of a file
 * @fd:		The caller's number of it
 * @start:	Where in it
 *
 * Return: 0; -EBADF; -ENOMEM; -EFAULT as above.
 */
int sim_memory_of_file(struct sim *sim, const struct sim_caller *caller, int fd,
		       uint64_t start, bool writeable, bool per_process,
		       struct sim_memory **ret);

/* sim_memory_ref() - Return: @memory. */
struct sim_memory *sim_memory_ref(struct sim_memory *memory);

/* sim_memory_unref() - Nothing of it is pinned any more. NULL is allowed.
 * Return: NULL.
 */
struct sim_memory *sim_memory_unref(struct sim_memory *memory);

/**
 * sim_memory_pin() - Pin what a mapping maps
 * @offset:	From its address on, bytes
 * @length:	Bytes; whole pages are pinned
 *
 * Pages that are pinned already are neither looked at nor accounted again.
 *
 * Return: 0; -EFAULT: its process has gone, or it is not there; -EINVAL: a file
 * of the wrong kind, or its end; -ENOMEM: more than may be pinned.
 */
int sim_memory_pin(struct sim_memory *memory, uint64_t offset, uint64_t length);

/* sim_memory_unpin() - Undo one sim_memory_pin(). */
void sim_memory_unpin(struct sim_memory *memory, uint64_t offset,
		      uint64_t length);

/**
 * sim_memory_move() - A device reads or writes pinned memory
 * @write:	To memory
 *
 * Return: 0, also if the memory has gone; -ENOMEM.
 */
int sim_memory_move(struct sim_memory *memory, uint64_t offset, void *buf,
		    size_t size, bool write);

/* sim_memory_copy() - The same memory anew, with nothing pinned; for a rule
 * that is off.
 */
int sim_memory_copy(const struct sim_memory *memory, struct sim_memory **ret);

/* sim_memory_words() - "1000+16 pages at 0x7f.. of 1234", for sim_state(). */
void sim_memory_words(const struct sim_memory *memory, char *buf, size_t size);

#endif
