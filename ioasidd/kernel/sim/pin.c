/* SPDX-License-Identifier: Apache-2.0
 *
 * pin.c - memory that is pinned, and moved by devices
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/str.h"
#include "kernel/sim/memory.h"
#include "kernel/sim/rule.h"

/* Of a long range as many pages are touched at each end; of those between only
 * that they are mapped is looked at, so that a large machine costs no memory.
 */
#define TOUCH_MAX 512

/* --- is it there? --- */

/**
 * mapped_for() - Has a process memory mapped all through a range?
 * @last:	Inclusive
 * @writeable:	For writing too
 */
static bool mapped_for(const struct sim_account *process, uint64_t start,
		       uint64_t last, bool writeable)
{
	_cleanup_free_ char *line = NULL;
	bool reached = false;
	size_t size = 0;
	char path[40];
	FILE *maps;

	str_format(path, sizeof(path), "/proc/%u/maps", process->id);
	maps = fopen(path, "re");
	if (!maps)
		return false;

	while (!reached && getline(&line, &size, maps) > 0) {
		uint64_t from, end;
		char mode[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &end,
			   mode) != 3 || end <= start)
			continue;
		if (from > start || mode[0] != 'r' ||
		    (writeable && mode[1] != 'w'))
			break;
		reached = end > last;
		start = end;
	}

	(void)fclose(maps); /* nothing was written */
	return reached;
}

/* touch() - Read a byte of each of some pages, as pinning would */
static bool touch(const struct sim_account *process, uint64_t address,
		  size_t pages)
{
	struct iovec remote[TOUCH_MAX];
	char bytes[TOUCH_MAX];
	struct iovec local = { bytes, pages };

	for (size_t i = 0; i < pages; i++)
		remote[i] = (struct iovec){
			(void *)(uintptr_t)(address + i * SIM_PAGE), 1
		};

	return process_vm_readv((pid_t)process->id, &local, 1, remote, pages,
				0) == (ssize_t)pages;
}

/* check_process() - Are pages of a process there? Return: 0 or -EFAULT. */
static int check_process(const struct sim_memory *memory, uint64_t first,
			 uint64_t last)
{
	uint64_t address = memory->address + first * SIM_PAGE;
	uint64_t pages = last - first + 1;
	size_t some = pages < TOUCH_MAX ? (size_t)pages : TOUCH_MAX;

	if (!sim_account_alive(memory->process))
		return sim_rule(SIM_RULE_PIN_DEAD_EFAULT) ? -EFAULT : 0;
	if (!sim_rule(SIM_RULE_PIN_ABSENT_EFAULT))
		return 0;

	if (!mapped_for(memory->process, address,
			address + pages * SIM_PAGE - 1, memory->writeable) ||
	    !touch(memory->process, address, some) ||
	    !touch(memory->process, address + (pages - some) * SIM_PAGE, some))
		return -EFAULT;

	return 0;
}

/* check_file() - Are pages of a file there? Return: 0 or -EINVAL. */
static int check_file(const struct sim_memory *memory, uint64_t last)
{
	struct stat st;
	uint64_t pages;

	if (sim_rule(SIM_RULE_FILE_KIND_EINVAL) && !memory->pinnable)
		return -EINVAL;
	if (fstat(memory->fd, &st))
		return -EINVAL;

	pages = (uint64_t)st.st_size / SIM_PAGE;
	if (sim_rule(SIM_RULE_FILE_END_EINVAL) &&
	    (memory->address / SIM_PAGE > pages ||
	     last >= pages - memory->address / SIM_PAGE))
		return -EINVAL;

	return 0;
}

/* check_pages() - Can pages be pinned? */
static int check_pages(const struct sim_memory *memory, uint64_t first,
		       uint64_t last)
{
	return memory->fd < 0 ? check_process(memory, first, last) :
				check_file(memory, last);
}

/**
 * check_new() - Can those pages of a range be pinned that are not yet?
 * @ret:	How many they are
 */
static int check_new(const struct sim_memory *memory, uint64_t first,
		     uint64_t last, uint64_t *ret)
{
	uint64_t pages = 0;
	int r;

	for (size_t i = 0; i < memory->n_spans && first <= last; i++) {
		const struct sim_span *span = &memory->spans[i];

		if (span->last < first)
			continue;
		if (span->first > last)
			break;
		if (span->first > first) {
			r = check_pages(memory, first, span->first - 1);
			if (r < 0)
				return r;
			pages += span->first - first;
		}
		first = span->last + 1;
	}

	if (first <= last) {
		r = check_pages(memory, first, last);
		if (r < 0)
			return r;
		pages += last - first + 1;
	}

	*ret = pages;
	return 0;
}

/* --- how often it is pinned --- */

/* emit() - Add a span at the end, joined to the one before if it can be */
static void emit(struct sim_span *spans, size_t *n, uint64_t first,
		 uint64_t last, unsigned int count)
{
	struct sim_span *top = *n ? &spans[*n - 1] : NULL;

	if (!count || first > last)
		return;

	if (top && top->last + 1 == first && top->count == count)
		top->last = last;
	else
		spans[(*n)++] = (struct sim_span){ first, last, count };
}

/**
 * recount() - Pin a range once more, or once less
 * @change:	1 or -1
 * @spans:	Room for twice as many and three more; what is pinned then
 *
 * Return: how many spans.
 */
static size_t recount(const struct sim_memory *memory, uint64_t first,
		      uint64_t last, int change, struct sim_span *spans)
{
	unsigned int fresh = change > 0;	/* where nothing was */
	uint64_t from = first;			/* counted up to here */
	size_t n = 0;

	for (size_t i = 0; i < memory->n_spans; i++) {
		const struct sim_span *old = &memory->spans[i];
		uint64_t low = old->first > first ? old->first : first;
		uint64_t high = old->last < last ? old->last : last;

		if (old->first > last && from <= last) {
			emit(spans, &n, from, last, fresh);
			from = last + 1;
		}
		if (low > high) {
			emit(spans, &n, old->first, old->last, old->count);
			continue;
		}
		if (old->first < low)
			emit(spans, &n, old->first, low - 1, old->count);
		if (from < low)
			emit(spans, &n, from, low - 1, fresh);
		emit(spans, &n, low, high, old->count + (unsigned int)change);
		from = high + 1;
		if (old->last > high)
			emit(spans, &n, high + 1, old->last, old->count);
	}

	if (from <= last)
		emit(spans, &n, from, last, fresh);
	return n;
}

/* pinned() - How many pages are */
static uint64_t pinned(const struct sim_memory *memory)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < memory->n_spans; i++)
		pages += memory->spans[i].last - memory->spans[i].first + 1;

	return pages;
}

/* sim_memory_pin() - Pin what a mapping maps */
int sim_memory_pin(struct sim_memory *memory, uint64_t offset, uint64_t length)
{
	uint64_t first = offset / SIM_PAGE;
	uint64_t last = (offset + length - 1) / SIM_PAGE, pages;
	struct sim_span *spans;
	int r;

	r = check_new(memory, first, last, &pages);
	if (r < 0)
		return r;

	spans = calloc(2 * memory->n_spans + 3, sizeof(*spans));
	if (!spans)
		return -ENOMEM;

	if (memory->account && pages) {
		r = sim_account_charge(memory->account, memory->process, pages);
		if (r < 0) {
			free(spans);
			return r;
		}
	}

	memory->n_spans = recount(memory, first, last, 1, spans);
	free(memory->spans);
	memory->spans = spans;
	return 0;
}

/* sim_memory_unpin() - Undo one sim_memory_pin() */
void sim_memory_unpin(struct sim_memory *memory, uint64_t offset,
		      uint64_t length)
{
	uint64_t first = offset / SIM_PAGE;
	uint64_t last = (offset + length - 1) / SIM_PAGE;
	uint64_t before = pinned(memory);
	struct sim_span *spans;

	spans = calloc(2 * memory->n_spans + 3, sizeof(*spans));
	if (!spans)
		return; /* stays pinned: there is nobody to tell */

	memory->n_spans = recount(memory, first, last, -1, spans);
	free(memory->spans);
	memory->spans = spans;

	if (memory->account)
		sim_account_discharge(memory->account, before - pinned(memory));
}

/* --- what devices do --- */

/* move_process() - To or from memory of a process */
static int move_process(const struct sim_memory *memory, uint64_t address,
			void *buf, size_t size, bool write)
{
	struct iovec local = { buf, size };
	struct iovec remote = { (void *)(uintptr_t)address, size };
	pid_t pid = (pid_t)memory->process->id;
	ssize_t n = -1;

	if (sim_account_alive(memory->process))
		n = write ? process_vm_writev(pid, &local, 1, &remote, 1, 0) :
			    process_vm_readv(pid, &local, 1, &remote, 1, 0);
	else if (!sim_rule(SIM_RULE_PIN_STAYS))
		return -EFAULT;

	/* The pinned page has nobody any more who could look. */
	if (n < (ssize_t)size && !write)
		memset((char *)buf + (n < 0 ? 0 : n), 0,
		       size - (n < 0 ? 0 : (size_t)n));

	return 0;
}

/* move_huge() - To or from a file that cannot be written by write(2) */
static int move_huge(int fd, uint64_t at, void *buf, size_t size, bool write,
		     size_t block)
{
	uint64_t from = at - at % block, end = at + size;
	size_t length = (size_t)((end - from + block - 1) / block * block);
	char *map;

	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   (off_t)from);
	if (map == MAP_FAILED)
		return -ENOMEM;

	if (write)
		memcpy(map + (at - from), buf, size);
	else
		memcpy(buf, map + (at - from), size);

	(void)munmap(map, length); /* cannot fail for what was just mapped */
	return 0;
}

/* move_file() - To or from a file */
static int move_file(const struct sim_memory *memory, uint64_t at, void *buf,
		     size_t size, bool write)
{
	struct stat st;
	ssize_t n;

	/* Cut off behind our back: the pinned page has nobody who looks. And
	 * nothing may make the file longer.
	 */
	if (fstat(memory->fd, &st) || at + size > (uint64_t)st.st_size) {
		if (!write)
			memset(buf, 0, size);
		return 0;
	}

	if (memory->huge)
		return move_huge(memory->fd, at, buf, size, write,
				 (size_t)st.st_blksize);

	n = write ? pwrite(memory->fd, buf, size, (off_t)at) :
		    pread(memory->fd, buf, size, (off_t)at);
	/* A seal keeps us out, not a device: all we can do is lose it. */
	if (n != (ssize_t)size && !write)
		memset(buf, 0, size);

	return 0;
}

/* sim_memory_move() - A device reads or writes pinned memory */
int sim_memory_move(struct sim_memory *memory, uint64_t offset, void *buf,
		    size_t size, bool write)
{
	uint64_t at = memory->address + offset;

	return memory->fd < 0 ? move_process(memory, at, buf, size, write) :
				move_file(memory, at, buf, size, write);
}
