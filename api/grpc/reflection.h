/* SPDX-License-Identifier: Apache-2.0
 *
 * reflection.h - what gRPC reflection tells, as tables made at build time
 *
 * schema/tables makes them (schema-tables ... reflection) from the descriptor
 * set of the contract and of the services that are gRPC's own. Nothing of a
 * descriptor is looked at here: files are passed on as bytes.
 */
#ifndef API_GRPC_REFLECTION_H
#define API_GRPC_REFLECTION_H

#include <stddef.h>
#include <stdint.h>


/**
 * struct reflection_imports - What a file imports: numbers of files
 */
struct reflection_imports {
	const uint16_t *files;
	size_t n;
};

/**
 * struct reflection_symbol - A name and the number of its file
 */
struct reflection_symbol {
	const char *name;
	size_t file;
};

/**
 * struct reflection_extension - An extension
 * @type:	Full name of what it extends
 * @number:	Its number
 * @file:	The number of its file
 */
struct reflection_extension {
	const char *type;
	int32_t number;
	size_t file;
};

/**
 * struct reflection_file - One .proto file
 * @name:	"ioasid/v1/lease.proto"
 * @start:	Where its FileDescriptorProto is in the descriptor set, bytes
 * @size:	Of it, bytes
 */
struct reflection_file {
	const char *name;
	size_t start;
	size_t size;
};

/**
 * struct reflection_tables - All of it
 * @descriptor_set: A serialised FileDescriptorSet, imports included, without
 *		comments
 * @files:	What is in it, imported files before those that import them
 * @imports:	What each of them imports
 * @n_files:	How many
 * @symbols:	All names, ordered by strcmp()
 * @extensions:	All extensions
 * @services:	Full names of all services
 */
struct reflection_tables {
	const uint8_t *descriptor_set;
	const struct reflection_file *files;
	const struct reflection_imports *imports;
	size_t n_files;
	const struct reflection_symbol *symbols;
	size_t n_symbols;
	const struct reflection_extension *extensions;
	size_t n_extensions;
	const char *const *services;
	size_t n_services;
};

/* Those of ioasidd; generated. */
extern const struct reflection_tables reflection_ioasid;

#endif
