/* SPDX-License-Identifier: Apache-2.0
 *
 * test-fault.c - the plan of faults: who is counted, who has the fault; the
 *		  machine, the files of SQLite and the memory that can fail
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/faulty.h"
#include "store/store.h"

static struct fault_plan *plan;
static char path[64], state_dir[64];
static int before;

/* A file with @magic, mapped; IOASID_FAULTS_PLAN names it. */
static void make_plan(const char *magic)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(*plan)), 0);
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	assert_ptr_not_equal(plan, MAP_FAILED);
	memcpy(plan->magic, magic, sizeof(plan->magic));
	fd_close(fd);
	setenv("IOASID_FAULTS_PLAN", path, 1);
}

static int setup(void **state)
{
	before = fd_count();
	snprintf(path, sizeof(path), "/tmp/test-fault.%d", (int)getpid());
	snprintf(state_dir, sizeof(state_dir), "/tmp/test-fault.%d.state",
		 (int)getpid());
	make_plan(FAULT_MAGIC);
	return fault_init();
}

static int teardown(void **state)
{
	char command[128];

	fault_deinit();
	munmap(plan, sizeof(*plan));
	unlink(path);
	snprintf(command, sizeof(command), "rm -rf %s", state_dir);
	return system(command) || fd_count() != before;
}

/* Arm the plan: the nth of @kind has @action. */
static void arm(enum fault_kind kind, uint32_t n, enum fault_action action,
		int error)
{
	memset(plan->counted, 0, sizeof(plan->counted));
	plan->fired = 0;
	plan->point[0] = '\0';
	plan->kind = kind;
	plan->n = n;
	plan->action = action;
	plan->error = error;
	plan->armed = 1;
}

static void the_nth_of_its_kind_fails_and_no_other(void **state)
{
	arm(FAULT_KERNEL, 2, FAULT_FAIL, EIO);
	assert_int_equal(fault_point(FAULT_KERNEL, "a", NULL), 0);
	assert_int_equal(fault_point(FAULT_SQLITE_SYNC, "b", NULL), 0);
	assert_int_equal(plan->fired, 0);
	assert_int_equal(fault_point(FAULT_KERNEL, "c", NULL), -EIO);
	assert_int_equal(fault_point(FAULT_KERNEL, "d", NULL), 0);
	assert_int_equal(plan->fired, 1);
	assert_string_equal(plan->point, "c");
	assert_true(plan->stack[0] != 0);
	assert_int_equal(plan->counted[FAULT_KERNEL], 3);
	assert_int_equal(plan->counted[FAULT_SQLITE_SYNC], 1);
}

static void calls_of_other_names_can_be_passed_over(void **state)
{
	arm(FAULT_KERNEL, 2, FAULT_FAIL, EIO);
	str_copy(plan->only, sizeof(plan->only), "b");
	assert_int_equal(fault_point(FAULT_KERNEL, "a", NULL), 0);
	assert_int_equal(fault_point(FAULT_KERNEL, "b", NULL), 0);
	assert_int_equal(fault_point(FAULT_KERNEL, "a", NULL), 0);
	assert_int_equal(fault_point(FAULT_KERNEL, "b", NULL), -EIO);
	assert_int_equal(plan->counted[FAULT_KERNEL], 2);
}

static void unless_armed_nothing_is_counted(void **state)
{
	arm(FAULT_KERNEL, 1, FAULT_FAIL, EIO);
	plan->armed = 0;
	assert_int_equal(fault_point(FAULT_KERNEL, "a", NULL), 0);
	assert_int_equal(plan->counted[FAULT_KERNEL], 0);
}

static void without_a_plan_or_with_a_wrong_one_nothing_fails(void **state)
{
	fault_deinit();
	unsetenv("IOASID_FAULTS_PLAN");
	assert_int_equal(fault_init(), 0);
	assert_int_equal(fault_point(FAULT_KERNEL, "a", NULL), 0);
	setenv("IOASID_FAULTS_PLAN", "/nowhere", 1);
	assert_int_equal(fault_init(), -ENOENT);
	munmap(plan, sizeof(*plan));
	make_plan("SOMETHNG");
	assert_int_equal(fault_init(), -EINVAL);
	assert_int_equal(truncate(path, 8), 0);
	assert_int_equal(fault_init(), -EINVAL);
}

static void what_is_forked_is_not_counted(void **state)
{
	int status;
	pid_t pid;

	arm(FAULT_KERNEL, 1, FAULT_FAIL, EIO);
	pid = fork();
	if (pid == 0)
		_exit(fault_point(FAULT_KERNEL, "a", NULL) != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(plan->counted[FAULT_KERNEL], 0);
}

static void a_delay_takes_its_time_and_a_kill_ends_the_process(void **state)
{
	uint64_t start = clock_mono_ns();
	int status;
	pid_t pid;

	arm(FAULT_SQLITE_SYNC, 1, FAULT_DELAY, 0);
	plan->delay_ms = 50;
	assert_int_equal(fault_point(FAULT_SQLITE_SYNC, "a", NULL), 0);
	assert_true(clock_mono_ns() - start >= 50000000);

	arm(FAULT_SQLITE_SYNC, 1, FAULT_KILL, 0);
	pid = fork();
	if (pid == 0) {
		fault_deinit();
		_exit(fault_init() || fault_point(FAULT_SQLITE_SYNC, "a",
						  NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_string_equal(plan->point, "a");
}

/* --- the machine --- */

static int unbinds, device_fd;

static int fake_unbind(struct kernel *k, const char *bdf,
		       unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
		       struct error *err)
{
	unbinds++;
	return 0;
}

static int fake_cdev_open(struct kernel *k, const char *bdf, int *ret_fd,
			  struct error *err)
{
	device_fd = *ret_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return 0;
}

static int fake_device(struct kernel *k, const char *bdf,
		       struct kernel_device *ret, struct error *err)
{
	*ret = (struct kernel_device){ .driver = "vfio-pci", .vfio = true };
	return 0;
}

static bool fake_stuck_ended(struct kernel *k,
			     const struct kernel_stuck *stuck)
{
	return true;
}

static void fake_free(struct kernel *k)
{
	unbinds = -1;
}

static const struct kernel_ops fake_ops = {
	.free = fake_free,
	.unbind = fake_unbind,
	.cdev_open = fake_cdev_open,
	.device = fake_device,
	.stuck_ended = fake_stuck_ended,
};

static void calls_of_the_machine_fail_or_lie(void **state)
{
	struct kernel real = { .ops = &fake_ops }, *k = NULL;
	struct error err = ERROR_NULL;
	struct kernel_stuck stuck;
	struct kernel_device device;
	int fd = -1;

	unbinds = 0;
	assert_int_equal(kernel_faulty_consume(&real, &k, &err), 0);
	arm(FAULT_KERNEL, 1, FAULT_FAIL, EBUSY);
	assert_int_equal(k->ops->unbind(k, "x", 0, &stuck, &err), -EBUSY);
	assert_int_equal(err.number, EBUSY);
	assert_int_equal(unbinds, 0);
	assert_string_equal(plan->point, "unbind");
	assert_int_equal(k->ops->unbind(k, "x", 0, &stuck, &err), 0);
	assert_int_equal(unbinds, 1);

	arm(FAULT_KERNEL, 1, FAULT_LIE, EIO);
	assert_int_equal(k->ops->unbind(k, "x", 0, &stuck, &err), -EIO);
	assert_int_equal(unbinds, 2);

	arm(FAULT_KERNEL, 1, FAULT_FAIL, ETIMEDOUT);
	assert_int_equal(k->ops->unbind(k, "x", 0, &stuck, &err), -ETIMEDOUT);
	assert_int_equal(err.kind, ERROR_DEVICE_BLOCKED);
	assert_true(stuck.pid > 0);
	assert_string_equal(stuck.call, "unbind");
	arm(FAULT_KERNEL, 1, FAULT_FAIL, EIO);
	assert_false(k->ops->stuck_ended(k, &stuck));
	assert_true(k->ops->stuck_ended(k, &stuck));

	/* An open that lies leaves no descriptor behind. */
	arm(FAULT_KERNEL, 1, FAULT_LIE, EIO);
	assert_int_equal(k->ops->cdev_open(k, "x", &fd, &err), -EIO);
	assert_int_equal(fcntl(device_fd, F_GETFD), -1);

	/* A read that lies says what could be so. */
	arm(FAULT_KERNEL, 1, FAULT_LIE, EIO);
	assert_int_equal(k->ops->device(k, "x", &device, &err), 0);
	assert_string_equal(device.driver, "");
	assert_false(device.vfio);

	k->ops->free(k);
	assert_int_equal(unbinds, -1);
}

/* --- the files of SQLite --- */

/* Each time another row: the same one would not be written. */
static int put_one(struct store_tx *tx, void *data, struct error *err)
{
	static uint64_t revision;

	return store_put_revision(tx, ++revision, err);
}

/* Open, write one row, close. Return: the first failure. */
static int use_store(void)
{
	struct error err = ERROR_NULL;
	struct store *store;
	int r;

	r = store_open(state_dir, NULL, NULL, &store, &err);
	if (r < 0)
		return r;
	r = store_write(store, put_one, NULL, &err);
	store_close(store);
	return r;
}

static void every_file_call_of_sqlite_can_fail(void **state)
{
	static const enum fault_kind kinds[] = {
		FAULT_SQLITE_OPEN, FAULT_SQLITE_READ, FAULT_SQLITE_WRITE,
		FAULT_SQLITE_SYNC,
	};
	unsigned int failed, n;
	size_t i;

	assert_int_equal(use_store(), 0);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (failed = 0, n = 1;; n++) {
			arm(kinds[i], n, n % 2 ? FAULT_FAIL : FAULT_LIE, EIO);
			failed += use_store() < 0;
			plan->armed = 0;
			assert_int_equal(use_store(), 0);
			if (!plan->fired)
				break;
		}
		assert_true(failed > 0);
	}
}

static void a_full_disk_is_said_to_be_full(void **state)
{
	arm(FAULT_SQLITE_WRITE, 1, FAULT_FAIL, ENOSPC);
	assert_int_equal(use_store(), -EIO);
	assert_string_equal(plan->point, "xWrite");
}

/* --- memory --- */

static void memory_of_our_own_can_be_refused(void **state)
{
	_cleanup_strv_ struct strv v = STRV_NULL;
	char *text = NULL;
	size_t size;
	void *p;

	arm(FAULT_MEMORY, 1, FAULT_FAIL, ENOMEM);
	assert_int_equal(strv_add(&v, "one"), -ENOMEM);
	assert_string_equal(plan->point, "strdup");
	assert_int_equal(strv_add(&v, "one"), 0);
	arm(FAULT_MEMORY, 1, FAULT_FAIL, ENOMEM);
	assert_int_equal(strv_addf(&v, "%d", 2), -ENOMEM);
	assert_string_equal(plan->point, "vasprintf");

	arm(FAULT_MEMORY, 1, FAULT_FAIL, ENOMEM);
	errno = 0;
	p = calloc(1, 16);
	assert_null(p);
	assert_int_equal(errno, ENOMEM);
	free(p);
	arm(FAULT_MEMORY, 1, FAULT_FAIL, ENOMEM);
	assert_null(open_memstream(&text, &size));
}

/* nothing() - A thread */
static void *nothing(void *data)
{
	return data;
}

static void a_thread_can_be_refused(void **state)
{
	pthread_t thread;

	arm(FAULT_MEMORY, 1, FAULT_FAIL, ENOMEM);
	assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), EAGAIN);
	assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(the_nth_of_its_kind_fails_and_no_other),
		T(calls_of_other_names_can_be_passed_over),
		T(unless_armed_nothing_is_counted),
		T(without_a_plan_or_with_a_wrong_one_nothing_fails),
		T(what_is_forked_is_not_counted),
		T(a_delay_takes_its_time_and_a_kill_ends_the_process),
		T(calls_of_the_machine_fail_or_lie),
		T(every_file_call_of_sqlite_can_fail),
		T(a_full_disk_is_said_to_be_full),
		T(memory_of_our_own_can_be_refused),
		T(a_thread_can_be_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
