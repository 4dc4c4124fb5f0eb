/* SPDX-License-Identifier: Apache-2.0
 *
 * test-grpc-status.c - an error as gRPC's trailers carry it, and its bounds
 *
 * That clients can read it is shown in tests/api.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/status.h"
#include "transcode/base64.h"

/* unpacked() - What the details of a status say. */
static Google__Rpc__Status *unpacked(const struct call_status *status)
{
	size_t size = strlen(status->details);
	_cleanup_free_ uint8_t *data = malloc(size + 3);
	Google__Rpc__Status *message;

	assert_non_null(data);
	assert_int_equal(base64_read(status->details, size, data, &size), 0);
	assert_true(size <= STATUS_MAX);
	message = google__rpc__status__unpack(NULL, size, data);
	assert_non_null(message);
	return message;
}

static void success_is_a_number_alone(void **state)
{
	struct call_status status = { .code = 7 };

	call_status_set(&status, NULL);
	assert_int_equal(status.code, 0);
	assert_null(status.message);
	assert_null(status.details);
	call_status_deinit(&status);
}

/* Without object and causes there is only an ErrorInfo with the remedy. */
static void an_error_has_what_is_known_of_it(void **state)
{
	struct call_status status = { 0 };
	struct error err = ERROR_NULL;
	Google__Rpc__Status *message;
	Google__Rpc__ErrorInfo *info;

	error_fill(&err, -EIO, ERROR_DEVICE_BUSY, "it is");
	call_status_set(&status, &err);
	assert_int_equal(status.code, error_kind(ERROR_DEVICE_BUSY)->grpc);
	assert_string_equal(status.message, "it is");
	message = unpacked(&status);
	assert_int_equal(message->code, status.code);
	assert_string_equal(message->message, "it is");
	assert_int_equal(message->n_details, 1);
	assert_string_equal(message->details[0]->type_url,
			    "type.googleapis.com/google.rpc.ErrorInfo");
	info = google__rpc__error_info__unpack(
		NULL, message->details[0]->value.len,
		message->details[0]->value.data);
	assert_string_equal(info->reason, "device.busy");
	assert_string_equal(info->domain, "ioasidd");
	assert_int_equal(info->n_metadata, 1);
	assert_string_equal(info->metadata[0]->key, "remedy");
	google__rpc__error_info__free_unpacked(info, NULL);
	google__rpc__status__free_unpacked(message, NULL);
	call_status_deinit(&status);
}

/* The longest of everything: causes are left out, the last ones first. */
static void the_longest_error_is_cut(void **state)
{
	struct call_status status = { 0 };
	struct error err = ERROR_NULL;
	Google__Rpc__PreconditionFailure *failure;
	Google__Rpc__Status *message;
	char words[600], name[120], number[8];

	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	error_fill(&err, -EIO, ERROR_DEVICE_IN_USE, "%s", words);
	error_object(&err, "%s", name);
	error_remedy(&err, "%s", words);
	for (unsigned int i = 0; i < ERROR_MAX_CAUSES; i++) {
		str_format(number, sizeof(number), "%04u", i);
		memcpy(name, number, 4);
		error_cause(&err, "process", name, "%s", words);
	}
	call_status_set(&status, &err);
	message = unpacked(&status);
	assert_int_equal(message->n_details, 2);
	failure = google__rpc__precondition_failure__unpack(
		NULL, message->details[1]->value.len,
		message->details[1]->value.data);
	assert_in_range(failure->n_violations, 5, ERROR_MAX_CAUSES - 1);
	assert_true(str_starts(failure->violations[0]->subject, "0000"));
	google__rpc__precondition_failure__free_unpacked(failure, NULL);
	google__rpc__status__free_unpacked(message, NULL);
	call_status_deinit(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_is_a_number_alone),
		cmocka_unit_test(an_error_has_what_is_known_of_it),
		cmocka_unit_test(the_longest_error_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
