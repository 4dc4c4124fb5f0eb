/* SPDX-License-Identifier: Apache-2.0
 *
 * reflection.c - gRPC's reflection service, v1 and v1alpha
 *
 * Both versions have the same messages, but for the package.
 */
#include "grpc/reflection.h"

#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/wire.h"
#include "grpc/call.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/session.h"

#define METHOD "ServerReflection/ServerReflectionInfo"

/* Numbers of google.rpc.Code. */
#define CODE_INVALID_ARGUMENT 3
#define CODE_NOT_FOUND 5

/* Beginnings of protobuf-c's names, which are longer than our lines. */
#define V1(what) GRPC__REFLECTION__V1__##what
#define ASKED(what) V1(SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what)
#define ANSWERED(what) V1(SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what)
#define REQUEST_IS_INT_SIZE \
	_GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE
#define TYPE(what) (&grpc__reflection__v1__##what##__descriptor)

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;
typedef Grpc__Reflection__V1__FileDescriptorResponse file_response;
typedef Grpc__Reflection__V1__ExtensionNumberResponse number_response;
typedef Grpc__Reflection__V1__ListServiceResponse list_response;
typedef Grpc__Reflection__V1__ServiceResponse service_response;
typedef Grpc__Reflection__V1__ErrorResponse error_response;

/**
 * struct answer - An answer that is being made
 * @tables:	What there is to tell
 * @arena:	For all of it
 * @response:	The answer
 */
struct answer {
	const struct reflection_tables *tables;
	struct arena arena;
	reflection_response response;
};

/* none() - There is no answer, for a reason. */
static void none(struct answer *answer, int code, const char *words)
{
	error_response *error = arena_message(&answer->arena,
					      TYPE(error_response));

	if (!error)
		return;
	error->error_code = code;
	error->error_message = (char *)words;
	answer->response.message_response_case = ANSWERED(ERROR_RESPONSE);
	answer->response.error_response = error;
}

/**
 * imported() - All that a file needs, itself first, each once
 * @tables:	Of all files
 * @first:	The file
 * @list:	Room for the number of each file
 *
 * Return: how many.
 */
static size_t imported(const struct reflection_tables *tables, size_t first,
		       size_t *list)
{
	size_t n = 1;

	list[0] = first;
	for (size_t i = 0; i < n; i++) {
		const struct reflection_imports *more =
			&tables->imports[list[i]];

		for (size_t k = 0; k < more->n; k++) {
			size_t at = 0;

			while (at < n && list[at] != more->files[k])
				at++;
			if (at == n)
				list[n++] = more->files[k];
		}
	}
	return n;
}

/* give_file() - Answer with a file and all that it imports. */
static void give_file(struct answer *answer, size_t file)
{
	const struct reflection_tables *tables = answer->tables;
	struct arena *arena = &answer->arena;
	size_t *list = arena_alloc(arena, tables->n_files * sizeof(*list));
	file_response *files =
		arena_message(arena, TYPE(file_descriptor_response));

	if (!list || !files)
		return;
	files->n_file_descriptor_proto = imported(tables, file, list);
	files->file_descriptor_proto = arena_alloc(
		arena, files->n_file_descriptor_proto *
			       sizeof(*files->file_descriptor_proto));
	if (!files->file_descriptor_proto)
		return;
	for (size_t i = 0; i < files->n_file_descriptor_proto; i++) {
		const struct reflection_file *from = &tables->files[list[i]];

		files->file_descriptor_proto[i].len = from->size;
		files->file_descriptor_proto[i].data =
			(uint8_t *)tables->descriptor_set + from->start;
	}
	answer->response.message_response_case =
		ANSWERED(FILE_DESCRIPTOR_RESPONSE);
	answer->response.file_descriptor_response = files;
}

/* file_named() - Which file has a name? */
static void file_named(struct answer *answer, const char *name)
{
	for (size_t i = 0; i < answer->tables->n_files; i++)
		if (str_eq(answer->tables->files[i].name, name)) {
			give_file(answer, i);
			return;
		}
	none(answer, CODE_NOT_FOUND, "there is no such file");
}

/* file_with_symbol() - Which file declares a name? */
static void file_with_symbol(struct answer *answer, const char *name)
{
	const struct reflection_symbol *symbols = answer->tables->symbols;
	size_t low = 0, high = answer->tables->n_symbols;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, symbols[middle].name);

		if (!order) {
			give_file(answer, symbols[middle].file);
			return;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	none(answer, CODE_NOT_FOUND, "there is no such symbol");
}

/* file_with_extension() - Which file declares an extension? */
static void file_with_extension(struct answer *answer, const char *type,
				int32_t number)
{
	const struct reflection_extension *all = answer->tables->extensions;

	for (size_t i = 0; i < answer->tables->n_extensions; i++)
		if (all[i].number == number && str_eq(all[i].type, type)) {
			give_file(answer, all[i].file);
			return;
		}
	none(answer, CODE_NOT_FOUND, "there is no such extension");
}

/* is_symbol() - Is there such a name? */
static bool is_symbol(const struct reflection_tables *tables, const char *name)
{
	for (size_t i = 0; i < tables->n_symbols; i++)
		if (str_eq(tables->symbols[i].name, name))
			return true;
	return false;
}

/* extension_numbers() - Which extensions does a message have? */
static void extension_numbers(struct answer *answer, const char *type)
{
	const struct reflection_tables *tables = answer->tables;
	number_response *numbers = arena_message(
		&answer->arena, TYPE(extension_number_response));
	size_t n = 0;

	if (!is_symbol(tables, type)) {
		none(answer, CODE_NOT_FOUND, "there is no such message");
		return;
	}
	if (!numbers)
		return;
	numbers->base_type_name = (char *)type;
	numbers->extension_number = arena_alloc(
		&answer->arena, (tables->n_extensions + 1) * sizeof(int32_t));
	if (!numbers->extension_number)
		return;
	for (size_t i = 0; i < tables->n_extensions; i++)
		if (str_eq(tables->extensions[i].type, type))
			numbers->extension_number[n++] =
				tables->extensions[i].number;
	numbers->n_extension_number = n;
	answer->response.message_response_case =
		ANSWERED(ALL_EXTENSION_NUMBERS_RESPONSE);
	answer->response.all_extension_numbers_response = numbers;
}

/* services() - Which services are there? */
static void services(struct answer *answer)
{
	const struct reflection_tables *tables = answer->tables;
	struct arena *arena = &answer->arena;
	list_response *list =
		arena_message(arena, TYPE(list_service_response));

	if (!list)
		return;
	list->service = arena_alloc(arena, tables->n_services *
						   sizeof(*list->service));
	if (!list->service)
		return;
	for (size_t i = 0; i < tables->n_services; i++) {
		service_response *one =
			arena_message(arena, TYPE(service_response));

		if (!one)
			return;
		one->name = (char *)tables->services[i];
		list->service[list->n_service++] = one;
	}
	answer->response.message_response_case =
		ANSWERED(LIST_SERVICES_RESPONSE);
	answer->response.list_services_response = list;
}

/* find() - Answer a question. */
static void find(struct answer *answer, const reflection_request *request)
{
	const Grpc__Reflection__V1__ExtensionRequest *extension;

	switch (request->message_request_case) {
	case ASKED(FILE_BY_FILENAME):
		file_named(answer, request->file_by_filename);
		return;
	case ASKED(FILE_CONTAINING_SYMBOL):
		file_with_symbol(answer, request->file_containing_symbol);
		return;
	case ASKED(FILE_CONTAINING_EXTENSION):
		extension = request->file_containing_extension;
		file_with_extension(answer, extension->containing_type,
				    extension->extension_number);
		return;
	case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
		extension_numbers(answer,
				  request->all_extension_numbers_of_type);
		return;
	case ASKED(LIST_SERVICES):
		services(answer);
		return;
	case ASKED(_NOT_SET):
	case REQUEST_IS_INT_SIZE:
		break;
	}
	none(answer, CODE_INVALID_ARGUMENT, "nothing was asked");
}

/* message() - A question has come */
static void message(struct grpc_call *call, const uint8_t *data, size_t size)
{
	struct answer answer = { .tables = call->session->grpc->reflection };
	struct error err = ERROR_NULL;
	ProtobufCMessage *request;

	arena_init(&answer.arena, CALL_MEMORY);
	grpc__reflection__v1__server_reflection_response__init(
		&answer.response);
	if (wire_unpack(TYPE(server_reflection_request), data, size,
			&answer.arena, &request, &err) < 0) {
		answer_end(call, &err);
	} else {
		answer.response.original_request =
			(reflection_request *)request;
		answer.response.valid_host =
			answer.response.original_request->host;
		find(&answer, answer.response.original_request);
		if (arena_ok(&answer.arena))
			answer_message(call, &answer.response.base);
		else
			answer_fail(call, ERROR_DAEMON_NO_MEMORY,
				    "no memory for the answer");
	}
	arena_deinit(&answer.arena);
}

/* half_closed() - There are no more questions */
static void half_closed(struct grpc_call *call)
{
	answer_end(call, NULL);
}

/* reflection_find() - Is reflection called? */
const struct call_kind *reflection_find(struct grpc_call *call,
					const char *name)
{
	static const struct call_kind kind = {
		.many = true,
		.message = message,
		.half_closed = half_closed,
	};

	if (!str_eq(name, "grpc.reflection.v1." METHOD) &&
	    !str_eq(name, "grpc.reflection.v1alpha." METHOD))
		return NULL;
	return &kind;
}
