/* SPDX-License-Identifier: Apache-2.0
 *
 * test-peer.c - connections: packets in order, nothing unbounded or leaked
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "front/listener.h"
#include "front/peer.h"

/**
 * struct seen - What a peer told its owner
 * @packets:	How many came
 * @size:	Of the last one
 * @refused:	Why the last one was not taken
 * @closed:	How often it was closed
 * @answer:	Send this many bytes back for each packet
 */
struct seen {
	int packets;
	size_t size;
	int refused;
	int closed;
	size_t answer;
};

/**
 * struct pair - A peer and its other end
 */
struct pair {
	struct loop *loop;
	struct peer *peer;
	int fd;
	struct seen seen;
	int fds_before;
	uint8_t buffer[PACKET_MAX];
};

/**
 * packet_of() - A packet of a given size
 */
static struct packet *packet_of(size_t size)
{
	struct packet *packet = calloc(1, sizeof(*packet) + size);

	assert_non_null(packet);
	packet->size = size;
	return packet;
}

static void saw_packet(void *owner, struct peer *peer, const uint8_t *data,
		       size_t size)
{
	struct seen *seen = owner;

	seen->packets++;
	seen->size = size;
	if (seen->answer)
		client_send_consume(&peer->client, packet_of(seen->answer));
}

static void saw_refused(void *owner, struct peer *peer, int error)
{
	((struct seen *)owner)->refused = error;
}

static void saw_closed(void *owner, struct peer *peer)
{
	((struct seen *)owner)->closed++;
}

static const struct peer_events events = {
	.packet = saw_packet,
	.refused = saw_refused,
	.closed = saw_closed,
};

/**
 * setup() - Make a pair
 */
static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	struct caller caller = { .pidfd = -1, .principal = "uid:1" };
	int ends[2];

	assert_non_null(pair);
	pair->fds_before = fd_count();
	assert_int_equal(loop_new(&pair->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
				    SOCK_NONBLOCK, 0, ends), 0);
	caller.pidfd = memfd_create("pidfd", MFD_CLOEXEC);
	assert_int_equal(peer_new_consume(pair->loop, ends[0], &caller,
					  pair->buffer, &events, &pair->seen,
					  &pair->peer), 0);
	pair->fd = ends[1];
	peer_prepare(pair->fd);
	*state = pair;
	return 0;
}

/**
 * teardown() - End it; no descriptor stays
 */
static int teardown(void **state)
{
	struct pair *pair = *state;

	client_close(&pair->peer->client);
	assert_int_equal(pair->seen.closed, 1);
	client_unref(&pair->peer->client);
	fd_close(pair->fd);
	loop_free(pair->loop);
	assert_int_equal(fd_count(), pair->fds_before);
	free(pair);
	return 0;
}

/**
 * turn() - Let the loop go round
 */
static void turn(struct pair *pair)
{
	loop_stop(pair->loop);
	assert_int_equal(loop_run(pair->loop), 0);
}

static void packets_come_whole(void **state)
{
	struct pair *pair = *state;
	_cleanup_free_ char *data = calloc(1, PACKET_MAX + 1);

	assert_int_equal(fd_send(pair->fd, data, 1, NULL, 0), 0);
	assert_int_equal(fd_send(pair->fd, data, PACKET_MAX, NULL, 0), 0);
	turn(pair);
	assert_int_equal(pair->seen.packets, 2);
	assert_int_equal(pair->seen.size, PACKET_MAX);
	assert_int_equal(fd_send(pair->fd, data, PACKET_MAX + 1, NULL, 0), 0);
	turn(pair);
	assert_int_equal(pair->seen.packets, 2);
	assert_int_equal(pair->seen.refused, -EMSGSIZE);
	assert_int_equal(pair->seen.closed, 0);
}

static void descriptors_are_refused_and_closed(void **state)
{
	struct pair *pair = *state;
	int fds[200], before;

	for (size_t i = 0; i < 200; i++)
		fds[i] = pair->fd;
	before = fd_count();
	assert_int_equal(fd_send(pair->fd, "x", 1, fds, 200), 0);
	turn(pair);
	assert_int_equal(pair->seen.refused, -EPROTO);
	assert_int_equal(pair->seen.packets, 0);
	assert_int_equal(fd_count(), before);
	assert_int_equal(fd_send(pair->fd, "x", 1, NULL, 0), 0);
	turn(pair);
	assert_int_equal(pair->seen.packets, 1);
}

/* One peer does not keep the loop for as long as it likes to. */
static void a_round_has_its_end(void **state)
{
	struct pair *pair = *state;

	for (int i = 0; i < 20; i++)
		assert_int_equal(fd_send(pair->fd, "x", 1, NULL, 0), 0);
	turn(pair);
	assert_in_range(pair->seen.packets, 1, 10);
	for (int i = 0; i < 20; i++)
		turn(pair);
	assert_int_equal(pair->seen.packets, 20);
}

/* Who does not read is not listened to, and goes on where it stopped. */
static void answers_come_before_new_requests(void **state)
{
	struct pair *pair = *state;
	_cleanup_free_ char *data = malloc(PACKET_MAX);
	int sent = 0, read = 0, asked;

	pair->seen.answer = 100000;
	for (int i = 0; i < 100; i++) {
		sent += fd_send(pair->fd, "x", 1, NULL, 0) == 0;
		turn(pair);
	}
	asked = pair->seen.packets;
	assert_in_range(asked, 1, 12);
	assert_true(sent > asked);
	for (int i = 0; i < 300 && read < sent; i++) {
		while (fd_receive(pair->fd, data, PACKET_MAX, NULL, 0,
				  NULL) == 100000)
			read++;
		turn(pair);
	}
	assert_int_equal(read, sent);
	assert_int_equal(pair->seen.packets, sent);
	assert_int_equal(pair->seen.closed, 0);
}

static void a_queue_that_grows_too_long_is_cut(void **state)
{
	struct pair *pair = *state;
	int i;

	for (i = 0; i < 100 && !pair->seen.closed; i++)
		client_send_consume(&pair->peer->client, packet_of(PACKET_MAX));
	assert_int_equal(pair->seen.closed, 1);
	assert_in_range(i, 4, 10);
	client_send_consume(&pair->peer->client, packet_of(1));
	assert_int_equal(client_hand_over(&pair->peer->client, &(struct packet){
						.size = 1 }, NULL, 0),
			 -EPIPE);
}

static void a_peer_that_hangs_up_is_closed(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(fd_send(pair->fd, "x", 1, NULL, 0), 0);
	pair->fd = fd_close(pair->fd);
	turn(pair);
	assert_int_equal(pair->seen.closed, 1);
}

static void no_memory_for_an_answer_ends_it(void **state)
{
	struct pair *pair = *state;

	client_send_consume(&pair->peer->client, NULL);
	assert_int_equal(pair->seen.closed, 1);
}

/* Past the queue, at once or not at all. */
static void descriptors_are_handed_over_at_once(void **state)
{
	struct pair *pair = *state;
	_cleanup_free_ struct packet *packet = packet_of(PACKET_MAX);
	int fds[2] = { pair->fd, pair->fd }, got[2], r = 0, n = 0;
	size_t count;

	assert_int_equal(client_hand_over(&pair->peer->client, packet, fds,
					  2), 0);
	assert_int_equal(fd_receive(pair->fd, pair->buffer, PACKET_MAX, got,
				    2, &count), PACKET_MAX);
	assert_int_equal(count, 2);
	fd_close(got[0]);
	fd_close(got[1]);
	while (r == 0 && n++ < 100)
		r = client_hand_over(&pair->peer->client, packet, NULL, 0);
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(pair->seen.closed, 0);
}

/* A reference of a worker keeps the pidfd, not the socket. */
static void a_reference_keeps_who_it_was(void **state)
{
	struct pair *pair = *state;
	struct client *ref = client_ref(&pair->peer->client);
	char byte;

	client_close(ref);
	assert_int_equal(recv(pair->fd, &byte, 1, 0), 0);
	assert_true(fcntl(ref->caller.pidfd, F_GETFD) >= 0);
	client_unref(ref);
}

/* The last word arrives although something was sent that nobody reads. */
static void the_dismissed_hear_why(void **state)
{
	struct error err = ERROR_NULL;
	char packet[4096];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
				    0, ends), 0);
	assert_int_equal(fd_send(ends[1], "x", 1, &ends[1], 1), 0);
	error_set(&err, -1, ERROR_LIMIT_CLIENTS, "no");
	peer_dismiss(ends[0], 1, &err);
	assert_true(recv(ends[1], packet, sizeof(packet), 0) > 0);
	assert_int_equal(recv(ends[1], packet, sizeof(packet), 0), 0);
	close(ends[1]);
}

static int accepted;

static void count_accepted(void *data, int fd)
{
	accepted++;
	fd_close(fd);
}

/**
 * dial() - Connect to a path
 *
 * Return: the socket or -errno.
 */
static int dial(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	str_copy(to.sun_path, sizeof(to.sun_path), path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static void the_socket_is_replaced_only_if_nobody_listens(void **state)
{
	char dir[] = "/tmp/ioasidd-peer-XXXXXX", path[64], longer[200];
	struct listener *first, *second;
	struct error err = ERROR_NULL;
	struct sockaddr_un stale = { .sun_family = AF_UNIX };
	struct loop *loop;
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	assert_int_equal(loop_new(&loop), 0);

	/* One that was left behind. */
	str_copy(stale.sun_path, sizeof(stale.sun_path), path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&stale, sizeof(stale)),
			 0);
	close(fd);
	assert_int_equal(listener_new(loop, path, SOCK_SEQPACKET,
				      count_accepted, NULL,
				      &first, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);

	/* One that is in use. */
	assert_int_equal(listener_new(loop, path, SOCK_SEQPACKET,
				      count_accepted, NULL,
				      &second, &err), -EADDRINUSE);
	fd = dial(path);
	assert_true(fd >= 0);
	loop_stop(loop);
	loop_run(loop);
	assert_true(accepted >= 1);
	close(fd);

	/* Another's by now: it stays. */
	unlink(path);
	assert_int_equal(listener_new(loop, path, SOCK_SEQPACKET,
				      count_accepted, NULL,
				      &second, &err), 0);
	listener_free(first);
	assert_int_equal(stat(path, &st), 0);
	listener_free(second);
	assert_int_equal(stat(path, &st), -1);

	/* No socket at all. */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(listener_new(loop, path, SOCK_SEQPACKET,
				      count_accepted, NULL,
				      &first, &err), -EEXIST);
	unlink(path);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(listener_new(loop, longer, SOCK_SEQPACKET,
				      count_accepted, NULL,
				      &first, &err), -ENAMETOOLONG);
	loop_free(loop);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(packets_come_whole, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			descriptors_are_refused_and_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_round_has_its_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			answers_come_before_new_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_queue_that_grows_too_long_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_peer_that_hangs_up_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			no_memory_for_an_answer_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			descriptors_are_handed_over_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reference_keeps_who_it_was,
						setup, teardown),
		cmocka_unit_test(the_dismissed_hear_why),
		cmocka_unit_test(
			the_socket_is_replaced_only_if_nobody_listens),
	};

	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
