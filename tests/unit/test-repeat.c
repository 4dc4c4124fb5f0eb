/* SPDX-License-Identifier: Apache-2.0
 *
 * Which requests of one id ask for the same, and how long an answer is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "front-host.h"
#include "front/contract.h"
#include "front/repeat.h"

#define HOUR_US (UINT64_C(3600) * 1000000)

/**
 * fingerprint() - Of a request
 *
 * Return: in one of four places, which take turns.
 */
static const char *fingerprint(const ProtobufCMessage *input)
{
	static char ret[4][REQUEST_FINGERPRINT_SIZE];
	static unsigned int turn;
	struct error err = ERROR_NULL;
	struct arena arena;
	const struct call call = { .input = input, .arena = &arena };

	turn = (turn + 1) % 4;
	arena_init(&arena, 65536);
	assert_int_equal(repeat_fingerprint(&call, ret[turn], &err), 0);
	arena_deinit(&arena);
	return ret[turn];
}

static void each_field_counts_but_the_conditions(void **state)
{
	Ioasid__V1__PrepareDeviceRequest one =
		IOASID__V1__PREPARE_DEVICE_REQUEST__INIT, two;

	one.name = "devices/x";
	one.request_id = "r";
	assert_int_equal(strlen(fingerprint(&one.base)),
			 REQUEST_FINGERPRINT_SIZE - 1);
	two = one;
	two.etag = "5";
	two.dry_run = true;
	two.request_id = "s";
	assert_string_equal(fingerprint(&one.base), fingerprint(&two.base));
	assert_string_equal(two.etag, "5");
	assert_true(two.dry_run);
	two = one;
	two.allow_no_reset = true;
	assert_string_not_equal(fingerprint(&one.base), fingerprint(&two.base));
	two = one;
	two.driver = "vfio-pci";
	assert_string_not_equal(fingerprint(&one.base), fingerprint(&two.base));
}

static void methods_do_not_share_one(void **state)
{
	Ioasid__V1__RestoreDeviceRequest one =
		IOASID__V1__RESTORE_DEVICE_REQUEST__INIT;
	Ioasid__V1__RecoverDeviceRequest two =
		IOASID__V1__RECOVER_DEVICE_REQUEST__INIT;

	one.name = two.name = "devices/x";
	one.request_id = two.request_id = "r";
	assert_string_not_equal(fingerprint(&one.base), fingerprint(&two.base));
}

static void no_id_is_no_repeat(void **state)
{
	Ioasid__V1__RestoreDeviceRequest one =
		IOASID__V1__RESTORE_DEVICE_REQUEST__INIT;
	Ioasid__V1__GetVersionRequest two =
		IOASID__V1__GET_VERSION_REQUEST__INIT;

	assert_string_equal(fingerprint(&one.base), "");
	assert_string_equal(repeat_id(&two.base), "");
	one.request_id = "r";
	assert_string_equal(repeat_id(&one.base), "r");
}

static void without_memory_there_is_none(void **state)
{
	Ioasid__V1__RestoreDeviceRequest one =
		IOASID__V1__RESTORE_DEVICE_REQUEST__INIT;
	char ret[REQUEST_FINGERPRINT_SIZE];
	struct error err = ERROR_NULL;
	struct arena arena;
	const struct call call = { .input = &one.base, .arena = &arena };

	one.request_id = "r";
	arena_init(&arena, 16);
	assert_true(repeat_fingerprint(&call, ret, &err) < 0);
	assert_int_equal(err.kind, ERROR_DAEMON_NO_MEMORY);
	arena_deinit(&arena);
}

/**
 * ended() - Add an ended operation
 * @at_us:	When it was asked for
 * @request_id:	Empty for none
 */
static struct operation *ended(struct registry *reg, uint64_t at_us,
			       const char *request_id)
{
	struct operation *op = operation_new(OPERATION_PREPARE, "devices/x",
					     "uid:3", request_id);

	op->state = OPERATION_DONE;
	op->created_us = at_us;
	assert_int_equal(registry_add_operation_consume(reg, op), 0);
	return op;
}

/* pop() - Forget one. Return: which; freed. */
static const struct operation *pop(struct registry *reg, uint64_t now_us)
{
	struct lease *lease;
	struct operation *op;

	registry_pop_ended(reg, now_us, &lease, &op);
	assert_null(lease);
	operation_free(op);
	return op;
}

static void what_may_be_asked_again_is_kept_for_a_day(void **state)
{
	struct registry *reg = machine_registry(1);
	const struct operation *asked, *first, *second;

	reg->history = 1;
	registry_lock(reg);
	asked = ended(reg, HOUR_US, "r");
	first = ended(reg, 2 * HOUR_US, "");
	second = ended(reg, 3 * HOUR_US, "");
	assert_ptr_equal(pop(reg, 4 * HOUR_US), first);
	assert_null(pop(reg, 4 * HOUR_US));
	(void)ended(reg, 5 * HOUR_US, "s");
	assert_null(pop(reg, 24 * HOUR_US));
	assert_ptr_equal(pop(reg, 25 * HOUR_US), asked);
	assert_null(pop(reg, 25 * HOUR_US));
	assert_ptr_equal(pop(reg, 29 * HOUR_US), second);
	assert_null(pop(reg, 99 * HOUR_US));
	registry_unlock(reg);
	registry_free(reg);
}

static void ten_times_the_history_is_kept_at_most(void **state)
{
	struct registry *reg = machine_registry(1);
	const struct operation *oldest;

	reg->history = 2;
	registry_lock(reg);
	oldest = ended(reg, HOUR_US, "r");
	for (int i = 1; i < 20; i++)
		(void)ended(reg, HOUR_US, "r");
	assert_null(pop(reg, 2 * HOUR_US));
	(void)ended(reg, HOUR_US, "r");
	assert_ptr_equal(pop(reg, 2 * HOUR_US), oldest);
	assert_null(pop(reg, 2 * HOUR_US));
	registry_unlock(reg);
	registry_free(reg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_counts_but_the_conditions),
		cmocka_unit_test(methods_do_not_share_one),
		cmocka_unit_test(no_id_is_no_repeat),
		cmocka_unit_test(without_memory_there_is_none),
		cmocka_unit_test(what_may_be_asked_again_is_kept_for_a_day),
		cmocka_unit_test(ten_times_the_history_is_kept_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
