/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.h - faults on demand, in builds with FAULTS=1 alone
 *
 * DOC: Theory of Operation
 *
 * A test makes a file of struct fault_plan and names it in IOASID_FAULTS_PLAN;
 * the daemon maps it when it starts. From then on the test arms and reads the
 * plan whenever it likes, without a word to the daemon.
 *
 * What can fail passes fault_point(), which says what kind of call it is. While
 * the plan is armed each kind is counted, and the nth call of the plan's kind
 * has the plan's fault, once. Processes that were forked from the daemon are
 * not counted.
 *
 * To arm: write all fields but @armed, @counted and @fired as 0, @armed last.
 * To disarm: @armed 0. tests/faults/plan.py is the other side of this.
 */
#ifndef IOASIDD_BASE_FAULT_H
#define IOASIDD_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_MAGIC "IOASFLT1"
#define FAULT_FRAMES 12

/* What kind of call. */
enum fault_kind {
	FAULT_KERNEL,		/* an operation of struct kernel_ops */
	FAULT_SQLITE_WRITE,	/* SQLite writes or cuts a file */
	FAULT_SQLITE_SYNC,	/* SQLite wants a file to be durable */
	FAULT_SQLITE_OPEN,	/* SQLite opens or removes a file */
	FAULT_SQLITE_READ,	/* SQLite reads a file, or asks for its size */
	FAULT_MEMORY,		/* memory or a thread, for our own objects */

	FAULT_KIND_COUNT
};

/* What happens at it. */
enum fault_action {
	FAULT_FAIL,	/* it is not done; it fails with @error */
	FAULT_DELAY,	/* it is done after @delay_ms */
	FAULT_KILL,	/* SIGKILL to ourselves; it is not done */
	FAULT_LIE,	/* it is done, and said to have failed with @error; what
			 * is read has a plausible wrong answer
			 */

	FAULT_ACTION_COUNT
};

/**
 * struct fault_plan - The file; shared by the test and the daemon
 * @magic:	FAULT_MAGIC; a file without it is refused
 * @armed:	The test's: faults are counted, and one is had
 * @kind:	Of which kind the fault is
 * @n:		It is had by the nth call of @kind from 1 on; 0 only counts
 * @action:	What it is
 * @error:	errno, positive
 * @delay_ms:	Of FAULT_DELAY
 * @only:	If not empty, calls of other names are passed over
 * @counted:	The daemon's: calls of each kind since the plan was armed
 * @fired:	The daemon's: the fault was had; @point and @stack are filled
 * @point:	The daemon's: the name of the call that had it
 * @stack:	The daemon's: who had called, innermost first, as offsets in the
 *		program's file; 0 after the last
 */
struct fault_plan {
	char magic[8];
	_Atomic uint32_t armed;
	uint32_t kind;
	uint32_t n;
	uint32_t action;
	int32_t error;
	uint32_t delay_ms;
	char only[32];
	_Atomic uint32_t counted[FAULT_KIND_COUNT];
	_Atomic uint32_t fired;
	char point[60];
	uint64_t stack[FAULT_FRAMES];
};

#ifdef IOASID_FAULTS

/**
 * fault_init() - Map the plan that IOASID_FAULTS_PLAN names, if it names one
 *
 * Before threads start.
 *
 * Return: 0; -EINVAL if the file is no plan; -errno.
 */
int fault_init(void);

/* fault_deinit() - There is no plan any more, for tests. */
void fault_deinit(void);

/**
 * fault_point() - Pass a call that can fail
 * @kind:	What kind it is
 * @name:	Its name
 * @ret_lie:	With a failure: do the call, then fail all the same; NULL for a
 *		call that cannot lie: it is not done
 *
 * From every thread. Keeps errno.
 *
 * Return: 0: go on; -errno: the call is to fail with this.
 */
int fault_point(enum fault_kind kind, const char *name, bool *ret_lie);

#else

static inline int fault_init(void)
{
	return 0;
}

#endif
#endif
