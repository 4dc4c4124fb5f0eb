/* SPDX-License-Identifier: Apache-2.0
 *
 * test-transcode.c - HTTP requests become messages, errors become answers
 *
 * What JSON may be is compared with another reader's opinion in tests/api;
 * here are routes, queries, limits, and the words for the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ioasid/v1/device.pb-c.h"
#include "ioasid/v1/lease.pb-c.h"
#include "transcode/json.h"
#include "transcode/problem.h"
#include "transcode/request.h"
#include "transcode/scalar.h"
#include "transcode/transcode.h"

#define BUDGET (1 << 20)

extern const struct contract contract_everything;

/* What the last request() has left. */
static struct arena arena;
static struct error err;
static ProtobufCMessage *message;
static const struct rpc_type *rpc;
static char allow[ALLOW_MAX];

/**
 * request() - Make the message of an HTTP request
 * @contract:	Whose
 * @target:	"VERB path?query"
 * @body:	JSON; NULL for none
 *
 * What path, query and body are copied into has no byte to spare.
 *
 * Return: the error's id; "ok" if there is none.
 */
static const char *request(const struct contract *contract, const char *target,
			   const char *body)
{
	_cleanup_free_ char *verb = strndup(target, strcspn(target, " "));
	const char *whole = target + strcspn(target, " ") + 1;
	size_t path_size = strcspn(whole, "?");
	const char *query = whole[path_size] ? whole + path_size + 1 : NULL;
	size_t query_size = query ? strlen(query) : 0;
	size_t body_size = body ? strlen(body) : 0;
	_cleanup_free_ char *path_copy = malloc(path_size + 1);
	_cleanup_free_ char *query_copy = malloc(query_size + 1);
	_cleanup_free_ char *body_copy = malloc(body_size + 1);
	struct route_match match;
	int r;

	assert_non_null(path_copy);
	assert_non_null(query_copy);
	assert_non_null(body_copy);
	path_copy = realloc(memcpy(path_copy, whole, path_size),
			    path_size ? path_size : 1);
	if (query)
		memcpy(query_copy, query, query_size);
	if (body)
		memcpy(body_copy, body, body_size);
	arena_deinit(&arena);
	arena_init(&arena, BUDGET);
	err = ERROR_NULL;
	message = NULL;
	r = route_find(contract, verb, path_copy, path_size, &arena, &match,
		       allow, &err);
	if (!r) {
		rpc = match.rpc;
		r = request_read(&match, query ? query_copy : NULL, query_size,
				 body_copy, body_size, &arena, &message, &err);
	}
	assert_true(arena.used <= BUDGET);
	assert_int_equal(r < 0, err.kind != ERROR_NONE);
	assert_int_equal(r < 0, !message);
	return r < 0 ? error_kind(err.kind)->id : "ok";
}

/* ioasid() - request() of the real contract. */
static const char *ioasid(const char *target, const char *body)
{
	return request(&contract_ioasid, target, body);
}

/* other() - request() of the one for tests. */
static const char *other(const char *target, const char *body)
{
	return request(&contract_everything, target, body);
}

/* written() - The message that was made, as JSON. */
static const char *written(void)
{
	static struct text text;

	text_deinit(&text);
	text = TEXT_NULL(BUDGET);
	assert_int_equal(json_write(rpc->input, message, false, &text, &err),
			 0);
	return text.data;
}

/* Every field's offset, kind and number in one table is that in the other. */
static void tables_are_protobuf_c_s(const struct contract *contract)
{
	for (size_t i = 0; i < contract->n_messages; i++) {
		const struct message_type *type = contract->messages[i];

		assert_string_equal(type->name, type->memory->name);
		assert_int_equal(type->n_fields, type->memory->n_fields);
		for (size_t k = 0; k < type->n_fields; k++) {
			const struct field_type *field = &type->fields[k];
			const ProtobufCFieldDescriptor *memory;

			memory = field_memory(type, field);
			assert_string_equal(field->name, memory->name);
			assert_int_equal(field->number, memory->id);
			assert_int_equal(field->repeated,
					 memory->label ==
						 PROTOBUF_C_LABEL_REPEATED);
			assert_int_equal(!!field->oneof,
					 !!(memory->flags &
					    PROTOBUF_C_FIELD_FLAG_ONEOF));
			assert_int_equal(field->kind == KIND_MESSAGE,
					 memory->type ==
						 PROTOBUF_C_TYPE_MESSAGE);
		}
	}
}

static void tables_agree_with_protobuf_c(void **state)
{
	tables_are_protobuf_c_s(&contract_ioasid);
	tables_are_protobuf_c_s(&contract_everything);
	assert_int_equal(contract_ioasid.n_rpcs, 46);
	assert_non_null(contract_rpc(&contract_ioasid,
				     "ioasid.v1.Host/GetVersion", 25));
	assert_null(contract_rpc(&contract_ioasid,
				 "ioasid.v1.Host/GetVersion", 24));
	assert_null(contract_message(&contract_ioasid, "ioasid.v1.Envelope"));
	assert_true(contract_everything.rpcs[4].server_streaming);
}

static void paths_lead_to_methods(void **state)
{
	static const char *const good[][3] = {
		{ "GET /version", "ioasid.v1.Host/GetVersion", "{}" },
		{ "GET /v1/devices", "ioasid.v1.Devices/ListDevices", "{}" },
		{ "GET /v1/devices/pci-0000-3b-00.0",
		  "ioasid.v1.Devices/GetDevice",
		  "{\"name\":\"devices/pci-0000-3b-00.0\"}" },
		{ "GET /v1/%64evices/a%3ab%c3%a4",
		  "ioasid.v1.Devices/GetDevice",
		  "{\"name\":\"devices/a:b\xc3\xa4\"}" },
		{ "POST /v1/leases/01J:claim", "ioasid.v1.Leases/ClaimLease",
		  "{\"name\":\"leases/01J\"}" },
		{ "POST /v1/leases", "ioasid.v1.Leases/CreateLease", "{}" },
		{ "GET /v1/devices/a+b", "ioasid.v1.Devices/GetDevice",
		  "{\"name\":\"devices/a+b\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_string_equal(ioasid(good[i][0], NULL), "ok");
		assert_string_equal(rpc->name, good[i][1]);
		assert_string_equal(written(), good[i][2]);
	}
	assert_string_equal(other("GET /t1/shelves/a/things/b", NULL), "ok");
	assert_string_equal(written(), "{\"name\":\"shelves/a/things/b\"}");
	assert_string_equal(other("PATCH /t1/s/at/7:move", "{}"), "ok");
	assert_string_equal(written(), "{\"shelf\":\"s\",\"place\":7}");
}

/* Nothing near a path is taken for it. */
static void other_paths_are_not_found(void **state)
{
	static const char *const bad[] = {
		"GET /", "GET ", "GET v1/devices", "GET /v1/devices/",
		"GET //v1/devices", "GET /v1//devices", "GET /v1/device",
		"GET /v1/devices/a/b", "GET /V1/devices", "GET /v1/devices/a:",
		"POST /v1/leases/a:Claim", "POST /v1/leases/:claim",
		"GET /v1/devices/a:b", "GET /v1/../v1/devices",
		"GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_string_equal(ioasid(bad[i], NULL),
				    "request.unknown-method");
	/* Encoded, a colon is part of the name; of two the last one counts. */
	assert_string_equal(ioasid("POST /v1/leases/a%3Aclaim", NULL),
			    "request.wrong-verb");
	assert_string_equal(ioasid("POST /v1/leases/a:b:claim", NULL), "ok");
}

static void wrong_verbs_are_told_the_right_ones(void **state)
{
	assert_string_equal(ioasid("DELETE /v1/leases", NULL),
			    "request.wrong-verb");
	assert_string_equal(allow, "GET, POST");
	assert_int_equal(error_kind(err.kind)->http, 405);
	assert_string_equal(ioasid("GET /v1/leases/a:claim", NULL),
			    "request.wrong-verb");
	assert_string_equal(allow, "POST");
	assert_string_equal(ioasid("get /v1/leases", NULL),
			    "request.wrong-verb");
	assert_string_equal(other("PUT /t1/shelves/a/things/b", NULL),
			    "request.wrong-verb");
	assert_string_equal(allow, "DELETE, GET");
}

static void bad_encodings_are_malformed(void **state)
{
	static const char *const bad[] = {
		"GET /v1/devices/%",	 "GET /v1/devices/%4",
		"GET /v1/devices/%4g",	 "GET /v1/devices/%00",
		"GET /v1/devices/%ff",	 "GET /v1/devices/a%2fb",
		"GET /v1/devices/\xff",	 "GET /v1/devices?page_token=%",
		"GET /v1/devices?%=",	 "GET /v1/devices?page_token=%c3",
		"GET /v1/devices?page_token=%00",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_string_equal(ioasid(bad[i], NULL), "request.malformed");
}

static void queries_become_fields(void **state)
{
	assert_string_equal(
		ioasid("GET /v1/devices?page_size=7&pageToken=a+b%2Bc&all=true",
		       NULL), "ok");
	assert_string_equal(
		written(),
		"{\"pageSize\":7,\"pageToken\":\"a b+c\",\"all\":true}");
	assert_string_equal(ioasid("GET /v1/devices?", NULL), "ok");
	assert_string_equal(ioasid("GET /v1/devices?&page_token=&", NULL),
			    "request.invalid");
	assert_string_equal(
		other("GET /t1/things?strings=a&strings=&nested.deeper.number=5"
		      "&nested.text=x&time=2026-01-01T00:00:00Z&duration=1s"
		      "&some_bytes=-_-_&colour=RED&colours=-3&colours=blue"
		      "&a_double=NaN&choice_nested.text=y&an_int64=1e3", NULL),
		"ok");
	assert_string_equal(
		written(),
		"{\"anInt64\":\"1000\",\"aDouble\":\"NaN\","
		"\"someBytes\":\"+/+/\",\"colour\":\"RED\","
		"\"nested\":{\"text\":\"x\",\"deeper\":{\"number\":\"5\"}},"
		"\"time\":\"2026-01-01T00:00:00Z\",\"duration\":\"1s\","
		"\"choiceNested\":{\"text\":\"y\"},\"strings\":[\"a\",\"\"],"
		"\"colours\":[\"DARK\",\"blue\"]}");
}

/* Each refusal names the parameter. */
static void bad_queries_are_refused_by_name(void **state)
{
	static const char *const bad[][2] = {
		{ "GET /v1/devices?nope=1", "nope" },
		{ "GET /v1/devices?page_size.x=1", "page_size.x" },
		{ "GET /v1/devices?page_size=1&pageSize=2", "pageSize" },
		{ "GET /v1/devices?page_size=", "page_size" },
		{ "GET /v1/devices?page_size=-1", "page_size" },
		{ "GET /v1/devices?all", "all" },
		{ "GET /v1/devices?all=1", "all" },
		{ "GET /v1/devices/a?name=devices/b", "name" },
		{ "GET /v1/devices/a?=", "" },
		{ "POST /v1/leases?labels.a=b", "labels.a" },
		{ "POST /v1/leases?labels=b", "labels" },
		{ "POST /v1/leases?claimant=1", "claimant" },
		{ "POST /v1/leases?claimant.uid=x", "claimant.uid" },
		{ "POST /v1/leases?mode=4", "mode" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_string_equal(ioasid(bad[i][0], NULL),
				    "request.invalid");
		assert_int_equal(err.n_causes, 1);
		assert_string_equal(err.causes[0].kind, "field");
		assert_string_equal(err.causes[0].name, bad[i][1]);
	}
}

/* Two members of a oneof lie in the same memory. */
static void a_oneof_has_one_value_in_a_query(void **state)
{
	assert_string_equal(
		other("GET /t1/things?choice_nested.text=a&choice_deeper.number=5",
		      NULL), "request.invalid");
	assert_string_equal(
		other("GET /t1/things?choice_number=1&choice_deeper.number=5",
		      NULL), "request.invalid");
	assert_string_equal(
		other("GET /t1/things?choice_text=a&choice_number=5", NULL),
		"request.invalid");
	assert_string_equal(
		other("GET /t1/things?choice_nested.text=a"
		      "&choice_nested.deeper.number=5", NULL), "ok");
}

static void path_query_and_body_make_one_request(void **state)
{
	const char *prepare = "POST /v1/devices/a:prepare?dry_run=true";

	assert_string_equal(ioasid(prepare, "{\"force\":true}"), "ok");
	assert_string_equal(
		written(),
		"{\"name\":\"devices/a\",\"dryRun\":true,\"force\":true}");
	assert_string_equal(ioasid(prepare, "{\"dryRun\":false}"),
			    "request.invalid");
	assert_string_equal(ioasid(prepare, "{\"dryRun\":null}"), "ok");
	assert_string_equal(ioasid(prepare, "{\"name\":\"devices/a\"}"),
			    "request.invalid");
	assert_string_equal(ioasid(prepare, "null"), "request.invalid");
	assert_string_equal(ioasid(prepare, " "), "request.malformed");
	assert_string_equal(ioasid("GET /version", "{}"), "request.invalid");

	assert_string_equal(other("PUT /t1/x?dry_run=true",
				  "{\"text\":\"y\"}"), "ok");
	assert_string_equal(written(), "{\"thing\":{\"text\":\"x\"},"
				       "\"nested\":{\"text\":\"y\"},"
				       "\"dryRun\":true}");
	assert_string_equal(other("PUT /t1/x?nested.text=z", "{}"),
			    "request.invalid");
	assert_string_equal(other("PUT /t1/x", "{\"nope\":1}"),
			    "request.invalid");
	assert_non_null(strstr(err.msg, "nested.nope"));
	assert_string_equal(other("PATCH /t1/s/at/x:move", NULL),
			    "request.invalid");
}

static void headers_can_set_fields(void **state)
{
	assert_string_equal(ioasid("POST /v1/leases/a:release", "{}"), "ok");
	assert_int_equal(request_set(rpc->input, message, "etag", "e1", &arena,
				     &err), 0);
	assert_string_equal(((Ioasid__V1__ReleaseLeaseRequest *)message)->etag,
			    "e1");
	assert_int_equal(request_set(rpc->input, message, "nope", "", &arena,
				     &err), -EINVAL);
}

/* What a small text makes large stops at the budget. */
static void memory_has_a_limit(void **state)
{
	static const char head[] = "{\"nesteds\":[", unit[] = "{},";
	size_t n = 20000, size = sizeof(head) - 1 + n * 3;
	_cleanup_free_ char *text = malloc(size + 3);
	char *at = text;

	assert_non_null(text);
	at = mempcpy(at, head, sizeof(head) - 1);
	for (size_t i = 0; i < n; i++)
		at = mempcpy(at, unit, 3);
	memcpy(at - 1, "]}", 3);
	arena_deinit(&arena);
	arena_init(&arena, BUDGET);
	assert_int_equal(json_read(
		contract_message(&contract_everything,
				 "ioasid.test.v1.Everything"),
		text, strlen(text), &arena, &message, &err), -E2BIG);
	assert_string_equal(error_kind(err.kind)->id, "request.too-complex");
	assert_true(arena.used <= BUDGET);
}

/* The reader itself goes as deep as it says, whatever is asked of it. */
static void depth_has_a_limit(void **state)
{
	struct json json;
	int i;

	json_init(&json, "[[[[[[[[[[[[[[[[[[[[", 20);
	for (i = 0; i < JSON_DEPTH; i++)
		assert_int_equal(json_enter(&json, &err), 0);
	assert_int_equal(json_enter(&json, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "more than 16"));
}

static void answers_have_a_limit(void **state)
{
	struct text text = TEXT_NULL(20);

	assert_string_equal(ioasid("GET /v1/devices/a-name-that-is-long",
				   NULL), "ok");
	assert_int_equal(json_write(rpc->input, message, false, &text, &err),
			 -EMSGSIZE);
	text_deinit(&text);
}

/* They come from ioasidd, whose word is not taken for it. */
static void answers_that_json_cannot_carry_are_faults(void **state)
{
	Ioasid__V1__Device device = IOASID__V1__DEVICE__INIT;
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	_cleanup_text_ struct text text = TEXT_NULL(BUDGET);
	char bad[] = "\xff";

	device.name = bad;
	assert_int_equal(json_write(contract_message(&contract_ioasid,
						     "ioasid.v1.Device"),
				    &device.base, false, &text, &err),
			 -EINVAL);
	assert_int_equal(err.kind, ERROR_DAEMON_INTERNAL);
	lease.created = &time;
	time.seconds = TIMESTAMP_MAX + 1;
	assert_int_equal(json_write(contract_message(&contract_ioasid,
						     "ioasid.v1.Lease"),
				    &lease.base, false, &text, &err),
			 -EINVAL);
}

/* A map with one key twice is one object with the later value. */
static void the_later_of_two_entries_is_written(void **state)
{
	Ioasid__V1__Lease__LabelsEntry one = IOASID__V1__LEASE__LABELS_ENTRY__INIT;
	Ioasid__V1__Lease__LabelsEntry two = one, three = one;
	Ioasid__V1__Lease__LabelsEntry *all[] = { &one, &two, &three };
	Ioasid__V1__Lease lease = IOASID__V1__LEASE__INIT;
	_cleanup_text_ struct text text = TEXT_NULL(BUDGET);
	char a[] = "a", b[] = "b", first[] = "1", second[] = "2";

	one.key = two.key = b;
	three.key = a;
	one.value = first;
	two.value = second;
	lease.labels = all;
	lease.n_labels = 3;
	assert_int_equal(json_write(contract_message(&contract_ioasid,
						     "ioasid.v1.Lease"),
				    &lease.base, false, &text, &err), 0);
	assert_string_equal(text.data, "{\"labels\":{\"a\":\"\",\"b\":\"2\"}}");
}

/* Read back with another reader. */
static void problems_are_json_with_all_that_is_known(void **state)
{
	_cleanup_text_ struct text text = TEXT_NULL(BUDGET);
	struct json_object *problem, *value;
	struct error e = ERROR_NULL;

	(void)error_set(&e, -EBUSY, ERROR_DEVICE_IN_USE, "it is \"in use\"");
	error_object(&e, "devices/a");
	error_cause(&e, "process", "4711", "has it open");
	assert_int_equal(problem_write(&e, "/v1/devices/a:prepare", &text,
				       &err), 409);
	problem = json_tokener_parse(text.data);
	assert_non_null(problem);
	value = json_object_object_get(problem, "type");
	assert_string_equal(json_object_get_string(value),
			    "urn:ioasidd:error:device.in-use");
	value = json_object_object_get(problem, "detail");
	assert_string_equal(json_object_get_string(value), "it is \"in use\"");
	value = json_object_object_get(problem, "status");
	assert_int_equal(json_object_get_int(value), 409);
	value = json_object_object_get(problem, "causes");
	value = json_object_array_get_idx(value, 0);
	value = json_object_object_get(value, "name");
	assert_string_equal(json_object_get_string(value), "4711");
	assert_non_null(json_object_object_get(problem, "remedy"));
	json_object_put(problem);
}

static void statuses_carry_the_same_id(void **state)
{
	struct status status;
	struct error e = ERROR_NULL;

	assert_int_equal(field_error(&e, "a.b", "is unknown"), -EINVAL);
	error_cause(&e, "process", "1", "is in the way");
	status_from_error(&e, &status);
	assert_int_equal(status.code, 3);
	assert_string_equal(status.reason, "request.invalid");
	assert_string_equal(status.message, "field a.b is unknown");
	assert_int_equal(status.n_violations, 2);
	assert_true(status.violations[0].field);
	assert_string_equal(status.violations[0].subject, "a.b");
	assert_false(status.violations[1].field);
}

/* Every day from 1600 to 2400 is itself again, and they are in order. */
static void dates_come_back(void **state)
{
	for (int64_t day = -135140; day < 157054; day++) {
		int64_t seconds;
		int32_t nanos;
		char text[40];

		assert_int_equal(timestamp_write(day * 86400 + 86399, 5, text,
						 sizeof(text)), 0);
		assert_int_equal(timestamp_read(text, strlen(text), &seconds,
						&nanos), 0);
		assert_int_equal(seconds, day * 86400 + 86399);
		assert_int_equal(nanos, 5);
	}
}

/* teardown() - Free what the last test has left. */
static int teardown(void **state)
{
	arena_deinit(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_agree_with_protobuf_c),
		cmocka_unit_test(paths_lead_to_methods),
		cmocka_unit_test(other_paths_are_not_found),
		cmocka_unit_test(wrong_verbs_are_told_the_right_ones),
		cmocka_unit_test(bad_encodings_are_malformed),
		cmocka_unit_test(queries_become_fields),
		cmocka_unit_test(bad_queries_are_refused_by_name),
		cmocka_unit_test(a_oneof_has_one_value_in_a_query),
		cmocka_unit_test(path_query_and_body_make_one_request),
		cmocka_unit_test(headers_can_set_fields),
		cmocka_unit_test(memory_has_a_limit),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(answers_have_a_limit),
		cmocka_unit_test(answers_that_json_cannot_carry_are_faults),
		cmocka_unit_test(the_later_of_two_entries_is_written),
		cmocka_unit_test(problems_are_json_with_all_that_is_known),
		cmocka_unit_test(statuses_carry_the_same_id),
		cmocka_unit_test(dates_come_back),
	};

	arena_init(&arena, BUDGET);
	return cmocka_run_group_tests(tests, NULL, teardown);
}
