/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c - the plan of faults, and who has one
 */
#include "base/fault.h"

#include <assert.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* Where the program begins in memory; from the linker. */
extern const char __executable_start[];

static_assert(sizeof(struct fault_plan) == 248, "as in tests/faults/plan.py");

/* The plan; NULL for none. Set before threads start. */
static struct fault_plan *plan;

/* Whose calls are counted: what is forked is somebody else. */
static pid_t owner;

/* fault_init() - Map the plan */
int fault_init(void)
{
	const char *path = getenv("IOASID_FAULTS_PLAN");
	_cleanup_fd_ int fd = -1;
	void *frames[1];
	struct stat st;
	void *map;

	if (!path)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_size < (off_t)sizeof(*plan))
		return -EINVAL;
	map = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	if (map == MAP_FAILED)
		return -errno;
	if (memcmp(map, FAULT_MAGIC, sizeof(plan->magic)) != 0) {
		(void)munmap(map, sizeof(*plan));
		return -EINVAL;
	}
	/* The first call of it loads a library, which takes memory. */
	(void)backtrace(frames, 1);
	owner = getpid();
	plan = map;
	return 0;
}

/* fault_deinit() - There is no plan any more */
void fault_deinit(void)
{
	if (plan)
		(void)munmap(plan, sizeof(*plan));
	plan = NULL;
}

/**
 * note_stack() - Write down who has called
 *
 * The innermost frames are here and in the wrapper; all of them are kept, since
 * how many these are is the compiler's choice.
 */
static void note_stack(void)
{
	const uintptr_t start = (uintptr_t)__executable_start;
	void *frames[FAULT_FRAMES + 2];
	int i, n, kept = 0;

	memset(plan->stack, 0, sizeof(plan->stack));
	n = backtrace(frames, (int)ARRAY_SIZE(frames));
	for (i = 0; i < n && kept < FAULT_FRAMES; i++) {
		uintptr_t at = (uintptr_t)frames[i];

		/* What is not ours cannot be told from the offset alone. */
		if (at > start && at - start < UINT32_MAX)
			plan->stack[kept++] = at - start;
	}
}

/**
 * fire() - Have the fault
 * @name:	Who has it
 * @ret_lie:	See fault_point()
 *
 * Return: as fault_point().
 */
static int fire(const char *name, bool *ret_lie)
{
	const struct timespec delay = {
		.tv_sec = plan->delay_ms / 1000,
		.tv_nsec = (long)(plan->delay_ms % 1000) * 1000000,
	};
	int error = -plan->error;

	(void)str_copy(plan->point, sizeof(plan->point), name);
	note_stack();
	atomic_store(&plan->fired, 1);
	switch ((enum fault_action)plan->action) {
	case FAULT_FAIL:
		return error;
	case FAULT_LIE:
		if (ret_lie)
			*ret_lie = true;
		return error;
	case FAULT_DELAY:
		(void)nanosleep(&delay, NULL); /* short is fine */
		return 0;
	case FAULT_KILL:
		(void)kill(getpid(), SIGKILL);
		for (;;)
			(void)pause(); /* until it is delivered */
	case FAULT_ACTION_COUNT:
		break;
	}
	return 0;
}

/* fault_point() - Pass a call that can fail */
int fault_point(enum fault_kind kind, const char *name, bool *ret_lie)
{
	const int saved = errno;
	uint32_t n;
	int r = 0;

	if (!plan || !atomic_load(&plan->armed) || getpid() != owner)
		return 0;
	if (plan->only[0] && !str_eq(plan->only, name))
		return 0;
	n = atomic_fetch_add(&plan->counted[kind], 1) + 1;
	if (kind == (enum fault_kind)plan->kind && n == plan->n)
		r = fire(name, ret_lie);
	errno = saved;
	return r;
}
