/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-window.c - windows planned with libioasid, against a fake daemon
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test-client-fake.h"

/* The library itself. */
#include "libioasid/channel.c"
#include "libioasid/connect.c"
#include "libioasid/fail.c"
#include "libioasid/message.c"
#include "libioasid/window.c"
#include "libioasid/wish.c"

#define DEVICE0 "devices/pci-0000-3b-00.0"
#define DEVICE1 "devices/pci-0000-3b-00.1"

static int server;		/* the fake daemon's end */
static struct ioasid *conn;	/* ours */
static struct ioasid_error err;
static struct ioasid_window_plan *plan;

static int setup(void **state)
{
	int sock[2];

	memset(&err, 0, sizeof(err));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	server = sock[0];
	if (fake_hello(server, "ioasid.v1") < 0)
		return -1;
	return channel_start(sock[1], -1, &conn, &err);
}

static int teardown(void **state)
{
	plan = ioasid_window_plan_free(plan);
	conn = ioasid_disconnect(conn);
	server = fd_close(server);
	return 0;
}

/* Two windows, and the ranges that they are in. */
static void send_plan(void)
{
	Ioasid__V1__PlanWindowsResponse msg =
		IOASID__V1__PLAN_WINDOWS_RESPONSE__INIT;
	Ioasid__V1__Window low = IOASID__V1__WINDOW__INIT;
	Ioasid__V1__Window high = IOASID__V1__WINDOW__INIT;
	Ioasid__V1__IovaRange range = IOASID__V1__IOVA_RANGE__INIT;
	Ioasid__V1__Window *windows[] = { &low, &high };
	Ioasid__V1__IovaRange *ranges[] = { &range };

	low.last = 0x7fffffff;
	low.page_sizes = 4096;
	low.purpose = IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32;
	high.start = UINT64_C(1) << 59;
	high.last = UINT64_MAX;
	range.last = UINT64_MAX;
	msg.windows = windows;
	msg.n_windows = 2;
	msg.iova_ranges = ranges;
	msg.n_iova_ranges = 1;
	msg.iova_alignment = 65536;
	msg.revision = 70;
	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
}

static void plan_tells_all_that_was_sent(void **state)
{
	static const char *const devices[] = { DEVICE0, DEVICE1 };
	static const struct ioasid_window_wish wishes[] = {
		{ .size = UINT64_C(1) << 40, .has_start = true,
		  .start = UINT64_C(1) << 59, .page_sizes = 0x201000,
		  .purpose = IOASID_WINDOW_RAM },
		{ .size = 0x1000, .around_reserved = true },
	};
	Ioasid__V1__PlanWindowsRequest *request;
	char method[128];
	uint64_t id;

	send_plan();
	assert_int_equal(ioasid_windows_plan(conn, devices, 2, wishes, 2,
					     &plan, &err), 0);
	assert_int_equal(plan->n_windows, 2);
	assert_true(plan->windows[0].last == 0x7fffffff);
	assert_int_equal(plan->windows[0].page_sizes, 4096);
	assert_int_equal(plan->windows[0].purpose, IOASID_WINDOW_DMA32);
	assert_true(plan->windows[1].start == UINT64_C(1) << 59);
	assert_true(plan->windows[1].last == UINT64_MAX);
	assert_int_equal(plan->n_iova_ranges, 1);
	assert_true(plan->iova_ranges[0].last == UINT64_MAX);
	assert_int_equal(plan->iova_alignment, 65536);
	assert_int_equal(plan->revision, 70);

	request = fake_receive(server,
			       &ioasid__v1__plan_windows_request__descriptor,
			       &id, method);
	assert_non_null(request);
	assert_string_equal(method, "Windows/PlanWindows");
	assert_int_equal(request->n_devices, 2);
	assert_string_equal(request->devices[1], DEVICE1);
	assert_int_equal(request->n_windows, 2);
	assert_true(request->windows[0]->start == UINT64_C(1) << 59);
	assert_int_equal(request->windows[0]->purpose,
			 IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_RAM);
	assert_int_equal(request->windows[1]->place_case, 0);
	assert_true(request->windows[1]->around_reserved);
	(void)message_free(request);
}

static void plan_for_nothing_is_empty(void **state)
{
	Ioasid__V1__PlanWindowsResponse msg =
		IOASID__V1__PLAN_WINDOWS_RESPONSE__INIT;

	assert_int_equal(fake_reply(server, 1, &msg.base, 0, NULL, 0), 0);
	assert_int_equal(ioasid_windows_plan(conn, NULL, 0, NULL, 0, &plan,
					     &err), 0);
	assert_int_equal(plan->n_windows, 0);
	assert_int_equal(plan->n_iova_ranges, 0);
}

static void refusal_names_who_is_in_the_way(void **state)
{
	static const struct ioasid_window_wish wish = { .size = 4096 };
	Ioasid__V1__Error error = IOASID__V1__ERROR__INIT;
	Ioasid__V1__Cause cause = IOASID__V1__CAUSE__INIT;
	Ioasid__V1__Cause *causes[] = { &cause };

	cause.kind = (char *)"device";
	cause.name = (char *)DEVICE0;
	cause.detail = (char *)"its aperture is 0x0-0xfff";
	error.id = (char *)"window.unavailable";
	error.remedy = (char *)"it fits at 0x1000";
	error.causes = causes;
	error.n_causes = 1;
	assert_int_equal(fake_error(server, 1, &error, NULL, 0), 0);
	assert_int_equal(ioasid_windows_plan(conn, NULL, 0, &wish, 1, &plan,
					     &err), -EREMOTEIO);
	assert_null(plan);
	assert_string_equal(err.id, "window.unavailable");
	assert_string_equal(err.remedy, "it fits at 0x1000");
	assert_string_equal(err.causes[0].name, DEVICE0);
	assert_string_equal(err.causes[0].detail, "its aperture is 0x0-0xfff");
}

static void too_many_wishes_are_not_sent(void **state)
{
	static const struct ioasid_window_wish wishes[IOASID_MAX_WINDOWS + 1];

	assert_int_equal(ioasid_windows_plan(conn, NULL, 0, wishes,
					     IOASID_MAX_WINDOWS + 1, &plan,
					     &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plan_tells_all_that_was_sent),
		TEST(plan_for_nothing_is_empty),
		TEST(refusal_names_who_is_in_the_way),
		TEST(too_many_wishes_are_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
