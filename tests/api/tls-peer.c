/* SPDX-License-Identifier: Apache-2.0
 *
 * tls-peer.c - the server side of TLS alone, for a test
 *
 * usage: tls-peer FOLDER HANDSHAKE-MS STUCK-MS
 *
 * Listens on a port of 127.0.0.1, which is its first line. A line in is "use
 * CERTIFICATE KEY AUTHORITIES REVOKED", each a file of FOLDER or "-", to which
 * it answers "used" or "refused WORDS"; "close N", to end a connection, which
 * is answered with "closed N"; or "count", answered with descriptors and bytes
 * of heap. "verified N PROTOCOL URIS NAMES FINGERPRINT", "failed N WORDS" and
 * "over N BYTES" tell of connections. Ends with the end of its input, and fails
 * if it leaks a descriptor.
 *
 * Inside, who says "GET" is given an HTTP answer that closes, and "HOLD" is never
 * read any further. All else comes back as it is; after the client's end, the
 * end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "core/limits.h"
#include "tls/tls.h"

#define BUFFER 32768

static struct loop *loop;
static struct tls *tls;
static const char *folder;
static int listener;
static uint64_t last;
static struct guest *guests;

/**
 * struct guest - A verified connection
 * @next:	One that came before it
 * @connection:	Its number
 * @stream:	With h2
 * @fd:		With http/1.1
 * @source:	Watches @fd
 * @bytes:	To be sent back
 * @start:	First of them
 * @end:	After the last
 * @total:	How many came in all
 * @eof:	No more come
 * @hold:	It is not read from
 * @answered:	It is to be closed when all is sent
 */
struct guest {
	struct guest *next;
	uint64_t connection;
	struct stream *stream;
	int fd;
	struct loop_source *source;
	char bytes[BUFFER];
	size_t start;
	size_t end;
	size_t total;
	bool eof;
	bool hold;
	bool answered;
};

/* die() - What a test cannot go on from. */
static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

/* say() - Print a line. */
static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* get() - Read from a guest. */
static ssize_t get(struct guest *guest, void *to, size_t size)
{
	ssize_t n;

	if (guest->stream)
		return guest->stream->ops->read(guest->stream, to, size);
	n = read(guest->fd, to, size);
	return n < 0 ? -errno : n;
}

/* put() - Write to a guest. */
static ssize_t put(struct guest *guest, const void *from, size_t size)
{
	ssize_t n;

	if (guest->stream)
		return guest->stream->ops->write(guest->stream, from, size);
	n = send(guest->fd, from, size, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

/* leave() - End a guest. */
static void leave(struct guest *guest, const char *why)
{
	struct guest **at = &guests;

	while (*at != guest)
		at = &(*at)->next;
	*at = guest->next;
	loop_unwatch(guest->source);
	if (guest->stream)
		guest->stream->ops->close(guest->stream);
	else
		(void)fd_close(guest->fd);
	say("over %" PRIu64 " %zu %s", guest->connection, guest->total, why);
	free(guest);
}

/* answer() - See what the first words ask for. */
static void answer(struct guest *guest)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";

	guest->hold = !memcmp(guest->bytes, "HOLD", 4);
	if (guest->hold || memcmp(guest->bytes, "GET ", 4))
		return;
	guest->answered = true;
	memcpy(guest->bytes, text, sizeof(text) - 1);
	guest->start = 0;
	guest->end = sizeof(text) - 1;
}

/* serve() - Send back what comes. */
static void serve(void *data)
{
	struct guest *guest = data;
	ssize_t n = 0;

	while (!guest->hold) {
		if (guest->start < guest->end) {
			n = put(guest, guest->bytes + guest->start,
				guest->end - guest->start);
			if (n < 0)
				break;
			guest->start += (size_t)n;
			continue;
		}
		if (guest->eof || guest->answered) {
			leave(guest, "well");
			return;
		}
		guest->start = guest->end = 0;
		n = get(guest, guest->bytes, BUFFER);
		if (n < 0)
			break;
		guest->eof = n == 0;
		guest->end = (size_t)n;
		if (n >= 4 && !guest->total)
			answer(guest);
		guest->total += (size_t)n;
	}
	if (guest->hold && guest->stream) {
		char byte;

		n = get(guest, &byte, 1);
	}
	if (n < 0 && n != -EAGAIN) {
		leave(guest, strerror((int)-n));
		return;
	}
	if (guest->stream)
		guest->stream->ops->want_write(guest->stream,
					       guest->start < guest->end);
	else
		loop_want(guest->source,
			  guest->hold			  ? 0 :
			  guest->start < guest->end ? EPOLLOUT :
						      EPOLLIN);
}

/* on_ready() - Likewise, by the plain socket. */
static void on_ready(void *data, uint32_t events)
{
	struct guest *guest = data;

	if (guest->hold && (events & (EPOLLHUP | EPOLLERR))) {
		leave(guest, "held");
		return;
	}
	serve(guest);
}

/* print_verified() - Say who has come. */
static void print_verified(uint64_t connection, enum tls_protocol protocol,
			   const struct identity *identity)
{
	printf("verified %" PRIu64 " %s ", connection,
	       protocol == TLS_H2 ? "h2" : "http/1.1");
	for (size_t i = 0; i < identity->uris.n; i++)
		printf("%s%s", i ? "," : "", identity->uris.items[i]);
	putchar(';');
	for (size_t i = 0; i < identity->names.n; i++)
		printf("%s%s", i ? "," : "", identity->names.items[i]);
	putchar(';');
	for (size_t i = 0; i < sizeof(identity->fingerprint); i++)
		printf("%02x", identity->fingerprint[i]);
	say("%s", "");
}

/* verified() - Take a guest in. */
static void verified(void *data, uint64_t connection,
		     enum tls_protocol protocol,
		     const struct identity *identity, struct stream *stream)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		die("calloc");
	print_verified(connection, protocol, identity);
	guest->connection = connection;
	guest->fd = -1;
	guest->next = guests;
	guests = guest;
	if (protocol == TLS_H2) {
		guest->stream = stream;
		stream->ready = serve;
		stream->data = guest;
		return;
	}
	if (tls_plain_consume(tls, stream, &guest->fd) < 0)
		die("tls_plain_consume");
	if (loop_watch(loop, guest->fd, EPOLLIN, on_ready, guest,
		       &guest->source) < 0)
		die("loop_watch");
}

/* failed() - Say so. */
static void failed(void *data, uint64_t connection, const struct error *error)
{
	say("failed %" PRIu64 " %s", connection, error->msg);
}

static const struct tls_owner owner = {
	.verified = verified,
	.failed = failed,
};

/* on_connect() - Somebody has. */
static void on_connect(void *data, uint32_t events)
{
	struct error error;
	int fd;

	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (tls_add_consume(tls, ++last, fd, &error) < 0)
		say("failed %" PRIu64 " %s", last, error.msg);
}

/**
 * sealed() - A file as a sealed memfd
 * @name:	Of the folder; "-" for none
 *
 * Return: the memfd, or -1.
 */
static int sealed(const char *name)
{
	char path[512], buf[65536];
	int file, fd;
	ssize_t n;

	if (str_eq(name, "-"))
		return -1;
	str_format(path, sizeof(path), "%s/%s", folder, name);
	file = open(path, O_RDONLY | O_CLOEXEC);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file < 0 || fd < 0)
		die(path);
	while ((n = read(file, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			die(path);
	(void)close(file);
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		die("F_ADD_SEALS");
	return fd;
}

/* use() - Take other credentials. */
static void use(char *words)
{
	static char *const kinds[] = { "certificate", "key", "authorities",
				       "revoked" };
	char *files[4], *rest = NULL;
	struct error error;
	int fds[4];
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		char *name = strtok_r(i ? NULL : words, " ", &rest);
		int fd = name ? sealed(name) : -1;

		if (fd < 0)
			continue;
		files[n] = kinds[i];
		fds[n++] = fd;
	}
	if (tls_configure(tls, files, fds, n, &error) < 0)
		say("refused %s", error.msg);
	else
		say("used");
	while (n)
		(void)close(fds[--n]);
}

/* on_line() - Do what a line says. */
static void on_line(void *data, uint32_t events)
{
	char line[512];

	if (!fgets(line, sizeof(line), stdin)) {
		loop_stop(loop);
		return;
	}
	str_chomp(line);
	if (!strncmp(line, "use ", 4)) {
		use(line + 4);
	} else if (!strncmp(line, "close ", 6)) {
		tls_close(tls, strtoull(line + 6, NULL, 10));
		say("closed %s", line + 6);
	} else {
		say("count %d %zu", fd_count(), mallinfo2().uordblks);
	}
}

/* listen_at() - Listen on a port that is free. */
static void listen_at(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) ||
	    listen(listener, 512) ||
	    getsockname(listener, (struct sockaddr *)&at, &size))
		die("listen");
	say("%d", ntohs(at.sin_port));
}

/* main() - See above. */
int main(int argc, char **argv)
{
	struct loop_source *connects, *lines;
	struct limits limits = LIMITS_DEFAULT;
	int before = fd_count();

	if (argc != 4) {
		fputs("usage: tls-peer FOLDER HANDSHAKE-MS STUCK-MS\n", stderr);
		return 2;
	}
	folder = argv[1];
	limits.handshake_timeout_ms = (uint32_t)strtoul(argv[2], NULL, 10);
	limits.body_timeout_ms = (uint32_t)strtoul(argv[3], NULL, 10);
	(void)signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0); /* else lines wait that no poll sees */
	listen_at();
	if (loop_new(&loop) || tls_new(loop, &limits, &owner, NULL, &tls) ||
	    loop_watch(loop, listener, EPOLLIN, on_connect, NULL, &connects) ||
	    loop_watch(loop, STDIN_FILENO, EPOLLIN, on_line, NULL, &lines))
		die("start");
	if (loop_run(loop))
		die("loop_run");

	loop_unwatch(connects);
	loop_unwatch(lines);
	(void)close(listener);
	while (guests)
		leave(guests, "at the end");
	(void)tls_free(tls);
	loop_free(loop);
	return fd_count() == before ? 0 : 1;
}
