/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h - what ioasidd.conf(5) says
 *
 * DOC: Theory of Operation
 *
 * Files are small and read strictly: an unknown section or key, a value that
 * cannot be, or a key that comes twice is the end of the reading, with file,
 * line and reason. So are files that others could have written: they are to
 * belong to root, or to who runs ioasidd, and no group or other may write them.
 *
 * All files are read as one: either all of it can be used, or nothing is.
 */
#ifndef IOASIDD_RUN_CONFIG_H
#define IOASIDD_RUN_CONFIG_H

#include "base/log.h"
#include "front/limits.h"
#include "model/policy.h"

#define CONFIG_FILE "/etc/ioasidd/ioasidd.conf"
#define CONFIG_POLICY_DIR "/etc/ioasidd/policy.d"

/**
 * struct api_config - [api]: how ioasid-api serves; 0 and NULL for defaults
 * @ceiling:		The most that comes through it may be
 * @socket:		Its UNIX socket
 * @listen:		Address and port for TLS; NULL for no TCP
 * @certificate:	PEM files; NULL for none
 * @key:		Likewise, as are the next two
 * @message_bytes:	As in LinkLimits, as is all that follows
 */
struct api_config {
	enum role ceiling;
	char *socket;
	char *listen;
	char *certificate;
	char *key;
	char *authorities;
	char *revoked;
	uint64_t message_bytes;
	uint64_t header_bytes;
	uint64_t streams;
	uint64_t header_timeout_ms;
	uint64_t body_timeout_ms;
	uint64_t idle_timeout_ms;
	uint64_t request_memory;
	uint64_t handshake_timeout_ms;
};

/**
 * struct config - All of it
 * @socket:	[daemon]; NULL where the files say nothing
 * @state_dir:	Likewise
 * @max_pinned:	0 likewise
 * @history:	UINT64_MAX likewise
 * @changes:	0 likewise
 * @log_level:	0 likewise
 * @api:	[api]
 * @limits:	[limits], with defaults
 * @policy:	The grants
 */
struct config {
	char *socket;
	char *state_dir;
	uint64_t max_pinned;
	uint64_t history;
	uint64_t changes;
	uint64_t log_level;
	struct api_config api;
	struct limits limits;
	struct policy *policy;
};

/**
 * struct config_paths - Where to read
 * @file:	The file; NULL for none
 * @file_must:	It was named: it must be there
 * @dir:	Folder of policy files; NULL for none
 * @dir_must:	Likewise
 */
struct config_paths {
	const char *file;
	bool file_must;
	const char *dir;
	bool dir_must;
};

/**
 * config_read() - Read all files
 * @ret:	config_free()
 *
 * Return: 0; -EINVAL daemon.configuration naming file, line and reason;
 * -errno of what could not be read.
 */
int config_read(const struct config_paths *paths, struct config **ret,
		struct error *err);

/* config_free() - NULL is allowed. Return: NULL. */
struct config *config_free(struct config *config);

#endif
