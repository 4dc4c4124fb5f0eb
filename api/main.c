/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - ioasid-api: parts in order, until the link is lost
 *
 * DOC: Theory of Operation
 *
 * ioasidd starts this program with one end of a socketpair as descriptor 3 and
 * nothing else of worth. It reads what strangers send and owns nothing: see
 * core/link.h for what it can ask, core/sandbox.h for what it cannot do. When
 * the link is lost it ends; ioasidd starts it anew.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "core/door.h"
#include "core/link.h"
#include "core/sandbox.h"
#include "grpc/grpc.h"
#include "ioasid/v1/link.pb-c.h"
#include "rest/rest.h"

#define LINK_FD 3
#define EXIT_USAGE 2

/* The longest file of a config: certificates of many authorities, a CRL. */
#define FILE_SIZE_MAX 4194304

/**
 * struct api - The process
 */
struct api {
	struct loop *loop;
	struct link *link;
	struct rest *rest;
	struct grpc *grpc;
	struct door *door;
	struct limits limits;
	enum log_level log_level;
};

/* --- what comes over the link --- */

/**
 * on_opened() - Somebody has connected; see struct link_owner
 */
static void on_opened(void *data, uint64_t connection, int fd, bool tcp,
		      const char *peer)
{
	struct api *api = data;

	log_debug("connection %llu: %s", (unsigned long long)connection, peer);
	door_add_consume(api->door, connection, fd, tcp);
}

/**
 * on_closed() - ioasidd has ended a connection; see struct link_owner
 */
static void on_closed(void *data, uint64_t connection)
{
	struct api *api = data;

	/* The door last: it has the TLS of those who are served. */
	rest_close(api->rest, connection);
	grpc_close(api->grpc, connection);
	door_close(api->door, connection);
}

/**
 * on_lost() - ioasidd has gone; see struct link_owner
 */
static void on_lost(void *data)
{
	struct api *api = data;

	log_notice("ending: ioasidd has gone");
	loop_stop(api->loop);
}

/**
 * file_read() - Read a file of a config
 * @fd:		A sealed memfd
 * @ret:	Its content; freed with free()
 * @ret_size:	Of it
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int file_read(int fd, uint8_t **ret, size_t *ret_size, struct error *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct stat st;
	size_t size;

	if (fstat(fd, &st))
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM, "fstat: %m");
	if (st.st_size < 0 || st.st_size > FILE_SIZE_MAX)
		return error_set(err, -EFBIG, ERROR_REQUEST_TOO_LARGE,
				 "it has more than %d bytes", FILE_SIZE_MAX);
	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (!data)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for it");
	if (pread(fd, data, size, 0) != (ssize_t)size)
		return error_set(err, -EIO, ERROR_KERNEL_SYSTEM,
				 "it cannot be read whole");
	*ret = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

/* or() - A limit, or what it is when none is given. */
static uint32_t or(uint32_t given, uint32_t otherwise)
{
	return given ? given : otherwise;
}

/**
 * limits_read() - Use limits from now on
 * @limits:	Changed
 * @fd:		A packed LinkLimits
 * @err:	Filled on failure
 *
 * Return: 0 or -errno.
 */
static int limits_read(struct limits *limits, int fd, struct error *err)
{
	const struct limits all = LIMITS_DEFAULT;
	_cleanup_free_ uint8_t *data = NULL;
	Ioasid__V1__LinkLimits *in;
	size_t size = 0;
	int r;

	r = file_read(fd, &data, &size, err);
	if (r < 0)
		return r;
	in = ioasid__v1__link_limits__unpack(NULL, size, data);
	if (!in)
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "it is no LinkLimits");
	*limits = (struct limits){
		.message_bytes = or(in->message_bytes, all.message_bytes),
		.header_bytes = or(in->header_bytes, all.header_bytes),
		.streams = or(in->streams, all.streams),
		.header_timeout_ms =
			or(in->header_timeout_ms, all.header_timeout_ms),
		.body_timeout_ms = or(in->body_timeout_ms, all.body_timeout_ms),
		.idle_timeout_ms = or(in->idle_timeout_ms, all.idle_timeout_ms),
		.request_memory = or(in->request_memory, all.request_memory),
		.handshake_timeout_ms =
			or(in->handshake_timeout_ms, all.handshake_timeout_ms),
	};
	ioasid__v1__link_limits__free_unpacked(in, NULL);
	return 0;
}

/**
 * on_config() - Use files from now on; see struct link_owner
 */
static int on_config(void *data, char *const *files, const int *fds, size_t n,
		     struct error *err)
{
	struct api *api = data;
	struct limits limits = api->limits;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!str_eq(files[i], "limits"))
			continue;
		r = limits_read(&limits, fds[i], err);
		if (r < 0)
			error_prefix(err, "%s", files[i]);
	}
	if (r == 0)
		r = door_configure(api->door, files, fds, n, err);
	if (r == 0)
		api->limits = limits;
	return r;
}

/* --- parts --- */

/**
 * on_gone() - A client has gone, or was ended by who served it
 */
static void on_gone(void *data, uint64_t connection)
{
	struct api *api = data;

	link_closed(api->link, connection, "over");
}

/**
 * on_turned_away() - A connection has ended at the door
 */
static void on_turned_away(void *data, uint64_t connection, const char *reason)
{
	struct api *api = data;

	link_closed(api->link, connection, reason);
}

/* start_loop() - Make the loop */
static int start_loop(struct api *api, struct error *err)
{
	int r = loop_new(&api->loop);

	return r < 0 ? error_set(err, r, ERROR_KERNEL_SYSTEM, "%m") : 0;
}

/* start_link() - Take the link up */
static int start_link(struct api *api, struct error *err)
{
	static const struct link_owner owner = {
		.opened = on_opened,
		.closed = on_closed,
		.config = on_config,
		.lost = on_lost,
	};
	int r = link_new(api->loop, LINK_FD, &owner, api, &api->link);

	return r < 0 ? error_set(err, r, ERROR_KERNEL_SYSTEM, "%m") : 0;
}

/* start_rest() - Be able to serve HTTP/1.1 */
static int start_rest(struct api *api, struct error *err)
{
	return rest_new(api->loop, api->link, &api->limits, on_gone, api,
			&api->rest, err);
}

/* start_grpc() - Be able to serve HTTP/2 */
static int start_grpc(struct api *api, struct error *err)
{
	return grpc_new(api->loop, api->link, &api->limits, on_gone, api,
			&api->grpc, err);
}

/* start_door() - Be able to tell one from the other */
static int start_door(struct api *api, struct error *err)
{
	const struct door_owner owner = {
		.link = api->link,
		.rest = api->rest,
		.grpc = api->grpc,
		.limits = &api->limits,
		.closed = on_turned_away,
		.data = api,
	};
	int r = door_new(api->loop, &owner, &api->door);

	return r < 0 ? error_set(err, r, ERROR_DAEMON_NO_MEMORY, "%m") : 0;
}

/* start_sandbox() - Give up the rest */
static int start_sandbox(struct api *api, struct error *err)
{
	return sandbox_enter(err);
}

static const struct part {
	const char *name;
	int (*start)(struct api *api, struct error *err);
} parts[] = {
	{ "loop", start_loop },	      { "link", start_link },
	{ "REST", start_rest },	      { "gRPC", start_grpc },
	{ "door", start_door },	      { "sandbox", start_sandbox },
};

/**
 * start_all() - Start every part
 * @api:	The process
 *
 * Return: 0; -errno: what failed is logged.
 */
static int start_all(struct api *api)
{
	struct error err = ERROR_NULL;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		r = parts[i].start(api, &err);
		if (r == 0)
			continue;
		log_problem(LOG_LEVEL_ERROR, &err, "cannot start: %s",
			    parts[i].name);
		return r;
	}
	return 0;
}

/**
 * stop_all() - Stop those that have started, in reverse
 * @api:	The process
 */
static void stop_all(struct api *api)
{
	api->grpc = grpc_free(api->grpc);
	api->rest = rest_free(api->rest);
	api->door = door_free(api->door); /* has the TLS of the others */
	api->link = link_free(api->link);
	api->loop = loop_free(api->loop);
}

/* --- the process --- */

/**
 * options_parse() - Read the command line
 * @api:	Filled
 *
 * Return: 0; 1: what was asked for is done; -EINVAL: said on stderr.
 */
static int options_parse(struct api *api, int argc, char **argv)
{
	static const struct option options[] = {
		{ "log-level", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			if (!log_level_from_name(optarg, &api->log_level))
				continue;
			fprintf(stderr, "ioasid-api: no log level '%s'\n",
				optarg);
			return -EINVAL;
		case 'v':
			puts("ioasid-api " IOASIDD_VERSION);
			return 1;
		case 'h':
			puts("usage: ioasid-api [--log-level=LEVEL]\n"
			     "Started by ioasidd, with the link to it as descriptor 3. See ioasid-api(8).");
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "ioasid-api: '%s' is not expected\n", argv[optind]);
	return -EINVAL;
}

/* has_link() - Is descriptor 3 what ioasidd would give? */
static bool has_link(void)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return !getsockopt(LINK_FD, SOL_SOCKET, SO_TYPE, &type, &size) &&
	       type == SOCK_SEQPACKET;
}

/* main() - Start, serve until ioasidd goes */
int main(int argc, char **argv)
{
	struct api api = { .limits = LIMITS_DEFAULT,
			   .log_level = LOG_LEVEL_INFO };
	int r;

	r = options_parse(&api, argc, argv);
	if (r != 0)
		return r < 0 ? EXIT_USAGE : 0;
	if (!has_link()) {
		fprintf(stderr, "ioasid-api: this is started by ioasidd\n");
		return EXIT_USAGE;
	}
	log_init(api.log_level);
	signal(SIGPIPE, SIG_IGN);
	(void)close_range(LINK_FD + 1, ~0U, 0);

	r = start_all(&api);
	if (r == 0)
		r = loop_run(api.loop);
	stop_all(&api);
	return r < 0 ? 1 : 0;
}
