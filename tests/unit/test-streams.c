/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of changes, to clients that are not ready, have no credit, are too
 * slow, or go away in the middle: what is sent, in which order, and what is not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/str.h"
#include "front-host.h"
#include "front/contract.h"
#include "front/front.h"
#include "front/streams.h"

/**
 * struct world - A front without workers or store: changes are made by hand
 */
struct world {
	char dir[64];
	char path[96];
	struct host host;
	struct front *front;
};

/**
 * struct fake - A client that keeps what it is sent
 * @ready:	It takes packets
 * @close_after: Close when so many have come; 0 for never
 * @revisions:	Of the changes that came
 * @error:	Id of the error that came last
 * @message:	Its words
 */
struct fake {
	struct client client;
	struct world *world;
	bool ready;
	size_t close_after;
	uint64_t revisions[2 * CHANGES_MAX];
	size_t n;
	char error[64];
	char message[256];
	bool closed;
};

static void fake_close(struct client *client)
{
	struct fake *fake = (struct fake *)client;

	if (fake->closed)
		return;
	fake->closed = true;
	front_leave(fake->world->front, client);
}

static void fake_send(struct client *client, struct packet *packet)
{
	struct fake *fake = (struct fake *)client;
	Ioasid__V1__Change *change;
	pb_envelope *envelope;

	assert_non_null(packet);
	assert_false(fake->closed);
	envelope = ioasid__v1__envelope__unpack(NULL, packet->size,
						packet->data);
	free(packet);
	assert_non_null(envelope);
	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_ERROR) {
		str_copy(fake->error, sizeof(fake->error),
			 envelope->error->id);
		str_copy(fake->message, sizeof(fake->message),
			 envelope->error->message);
	} else {
		assert_int_equal(envelope->body_case,
				 IOASID__V1__ENVELOPE__BODY_ITEM);
		change = ioasid__v1__change__unpack(
			NULL, envelope->item->payload.len,
			envelope->item->payload.data);
		assert_non_null(change);
		fake->revisions[fake->n++] = change->revision;
		ioasid__v1__change__free_unpacked(change, NULL);
	}
	ioasid__v1__envelope__free_unpacked(envelope, NULL);
	if (fake->close_after && fake->n == fake->close_after)
		fake_close(client);
}

static bool fake_ready(struct client *client)
{
	return ((struct fake *)client)->ready;
}

static void fake_free(struct client *client)
{
	free(client);
}

static const struct client_ops fake_ops = {
	.send_consume = fake_send,
	.ready = fake_ready,
	.close = fake_close,
	.free = fake_free,
};

/**
 * fake_new() - A client of a uid, with a reference of the test's own
 */
static struct fake *fake_new(struct world *w, uid_t uid, uint32_t credit)
{
	struct caller caller = { .process = { .uid = uid }, .pidfd = -1,
				 .ceiling = ROLE_ADMIN };
	struct fake *fake = calloc(1, sizeof(*fake));
	struct user *user;

	str_format(caller.principal, sizeof(caller.principal), "uid:%u",
		   (unsigned int)uid);
	user = front_user(w->front, uid, caller.principal);
	assert_non_null(user);
	client_init(&fake->client, &fake_ops, &caller);
	fake->client.stream_credit = credit;
	fake->world = w;
	fake->ready = true;
	front_enter(w->front, user, &fake->client);
	return (struct fake *)client_ref(&fake->client);
}

/* fake_drop() - Close it if that has not been done, and let go. */
static void fake_drop(struct fake *fake)
{
	fake_close(&fake->client);
	client_unref(&fake->client);
}

/**
 * ask() - Send a request to watch
 * @id:		Its id
 * @revision:	After which
 */
static void ask(struct fake *fake, uint64_t id, uint64_t revision)
{
	pb_watch watch = IOASID__V1__WATCH_EVENTS_REQUEST__INIT;
	Ioasid__V1__Request request = IOASID__V1__REQUEST__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	uint8_t payload[64], packet[256];

	watch.revision = revision;
	request.method = (char *)"ioasid.v1.Events/WatchEvents";
	request.payload.data = payload;
	request.payload.len = ioasid__v1__watch_events_request__pack(&watch,
								     payload);
	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REQUEST;
	envelope.request = &request;
	dispatch_packet(fake->world->front, &fake->client, packet,
			ioasid__v1__envelope__pack(&envelope, packet));
}

/**
 * cancel() - Send that a request is no longer wanted
 */
static void cancel(struct fake *fake, uint64_t id)
{
	Ioasid__V1__Cancel body = IOASID__V1__CANCEL__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	uint8_t packet[64];

	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_CANCEL;
	envelope.cancel = &body;
	dispatch_packet(fake->world->front, &fake->client, packet,
			ioasid__v1__envelope__pack(&envelope, packet));
}

/**
 * change() - Make changes, one under each lock
 * @n:		How many
 *
 * Return: the revision of the last.
 */
static uint64_t change(struct world *w, size_t n)
{
	struct registry *reg = w->host.registry;

	while (n--) {
		registry_lock(reg);
		registry_changed_device(reg, reg->devices[n % 4], 0);
		registry_unlock(reg);
	}
	return reg->shown;
}

/* turn() - Let the loop run until nothing is left to be sent. */
static void turn(struct world *w)
{
	for (int i = 0; i < 2 * CHANGES_MAX / STREAM_ITEMS_PER_ROUND; i++) {
		loop_stop(w->host.loop);
		assert_int_equal(loop_run(w->host.loop), 0);
	}
}

/**
 * assert_came() - So many changes came, without a gap, the last one of these
 */
static void assert_came(const struct fake *fake, size_t n, uint64_t last)
{
	assert_int_equal(fake->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(fake->revisions[i], last - n + 1 + i);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error err = ERROR_NULL;

	strcpy(w->dir, "/tmp/ioasidd-streams-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	w->host.registry = machine_registry(4);
	assert_int_equal(loop_new(&w->host.loop), 0);
	assert_int_equal(front_start(&w->host, w->path, &w->front, &err), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(w->front->n_streams, 0);
	assert_null(w->front->streams);
	assert_null(w->front->users);
	front_stop(w->front);
	registry_free(w->host.registry);
	loop_free(w->host.loop);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void changes_come_once_and_in_order(void **state)
{
	struct world *w = *state;
	struct fake *fake = fake_new(w, 0, 0);
	uint64_t start = w->host.registry->shown, last = change(w, 100);

	ask(fake, 1, start);
	/* What there is comes a few at a time, so that others have a turn. */
	assert_int_equal(fake->n, STREAM_ITEMS_PER_ROUND);
	turn(w);
	assert_came(fake, 100, last);
	last = change(w, 50);
	turn(w);
	assert_came(fake, 150, last);
	assert_string_equal(fake->error, "");
	fake_drop(fake);
}

static void one_who_takes_nothing_is_sent_nothing(void **state)
{
	struct world *w = *state;
	struct fake *fake = fake_new(w, 0, 0), *other = fake_new(w, 0, 0);
	uint64_t start = w->host.registry->shown, last;

	fake->ready = false;
	ask(fake, 1, start);
	ask(other, 1, start);
	last = change(w, 500);
	turn(w);
	assert_int_equal(fake->n, 0);
	assert_came(other, 500, last);
	fake->ready = true;
	/* It is not asked again until it says so. */
	last = change(w, 1);
	turn(w);
	assert_int_equal(fake->n, 0);
	streams_drained(w->front, &fake->client);
	turn(w);
	assert_came(fake, 501, last);
	fake_drop(fake);
	fake_drop(other);
}

static void credit_is_kept_to(void **state)
{
	struct world *w = *state;
	struct fake *fake = fake_new(w, 0, 2);
	uint64_t start = w->host.registry->shown, last = change(w, 10);

	ask(fake, 7, start);
	turn(w);
	assert_came(fake, 2, last - 8);
	dispatch_credit(w->front, &fake->client, 6, 5);
	turn(w);
	assert_int_equal(fake->n, 2);
	dispatch_credit(w->front, &fake->client, 7, 3);
	turn(w);
	assert_came(fake, 5, last - 5);
	dispatch_credit(w->front, &fake->client, 7, UINT32_MAX);
	dispatch_credit(w->front, &fake->client, 7, UINT32_MAX);
	turn(w);
	assert_came(fake, 10, last);
	fake_drop(fake);
}

static void one_who_is_too_slow_hears_where_it_was(void **state)
{
	struct world *w = *state;
	struct fake *fake = fake_new(w, 0, 0);
	char words[64];
	uint64_t last;

	ask(fake, 1, 0);
	last = change(w, 3);
	turn(w);
	assert_came(fake, 3, last);
	fake->ready = false;
	change(w, CHANGES_MAX);
	turn(w);
	assert_string_equal(fake->error, "");
	change(w, 1);
	turn(w);
	assert_string_equal(fake->error, "watch.slow");
	snprintf(words, sizeof(words), "revision %llu,",
		 (unsigned long long)last);
	assert_non_null(strstr(fake->message, words));
	assert_int_equal(w->front->n_streams, 0);
	/* From there it is expired by now, and from now on it is not. */
	fake->ready = true;
	ask(fake, 1, last);
	assert_string_equal(fake->error, "watch.expired");
	ask(fake, 1, w->host.registry->shown);
	assert_int_equal(w->front->n_streams, 1);
	fake_drop(fake);
}

static void one_who_goes_in_the_middle_takes_no_other_along(void **state)
{
	struct world *w = *state;
	struct fake *fakes[3];
	uint64_t start = w->host.registry->shown, last;

	for (int i = 0; i < 3; i++) {
		fakes[i] = fake_new(w, 0, 0);
		ask(fakes[i], 1, start);
		ask(fakes[i], 2, start);
	}
	fakes[1]->close_after = 1;
	last = change(w, 60);
	turn(w);
	assert_int_equal(fakes[1]->n, 1);
	assert_int_equal(fakes[0]->n, 120);
	assert_int_equal(fakes[2]->n, 120);
	assert_int_equal(fakes[0]->revisions[119], last);
	assert_int_equal(w->front->n_streams, 4);
	for (int i = 0; i < 3; i++)
		fake_drop(fakes[i]);
}

static void a_cancelled_stream_ends_alone(void **state)
{
	struct world *w = *state;
	struct fake *fake = fake_new(w, 0, 0);
	uint64_t last;

	ask(fake, 1, 0);
	ask(fake, 2, 0);
	cancel(fake, 3);
	assert_string_equal(fake->error, "");
	cancel(fake, 1);
	assert_string_equal(fake->error, "request.cancelled");
	assert_int_equal(w->front->n_streams, 1);
	last = change(w, 5);
	turn(w);
	assert_came(fake, 5, last);
	fake_drop(fake);
}

static void streams_have_limits(void **state)
{
	struct world *w = *state;
	struct fake *fakes[STREAMS_MAX / STREAMS_PER_UID + 1];

	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++)
		fakes[i] = fake_new(w, (uid_t)(1000 + i), 0);
	for (uint64_t id = 1; id <= STREAMS_PER_UID; id++)
		ask(fakes[0], id, 0);
	assert_string_equal(fakes[0]->error, "");
	ask(fakes[0], STREAMS_PER_UID + 1, 0);
	assert_string_equal(fakes[0]->error, "limit.watchers");
	for (size_t i = 1; i < STREAMS_MAX / STREAMS_PER_UID; i++)
		for (uint64_t id = 1; id <= STREAMS_PER_UID; id++)
			ask(fakes[i], id, 0);
	assert_int_equal(w->front->n_streams, STREAMS_MAX);
	ask(fakes[STREAMS_MAX / STREAMS_PER_UID], 1, 0);
	assert_string_equal(fakes[STREAMS_MAX / STREAMS_PER_UID]->error,
			    "limit.watchers");
	cancel(fakes[3], 5);
	ask(fakes[STREAMS_MAX / STREAMS_PER_UID], 2, 0);
	assert_int_equal(w->front->n_streams, STREAMS_MAX);
	/* They see nothing of what is not theirs, and cost nothing. */
	change(w, 10);
	turn(w);
	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		assert_int_equal(fakes[i]->n, 0);
		fake_drop(fakes[i]);
	}
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(changes_come_once_and_in_order),
		IN_A_WORLD(one_who_takes_nothing_is_sent_nothing),
		IN_A_WORLD(credit_is_kept_to),
		IN_A_WORLD(one_who_is_too_slow_hears_where_it_was),
		IN_A_WORLD(one_who_goes_in_the_middle_takes_no_other_along),
		IN_A_WORLD(a_cancelled_stream_ends_alone),
		IN_A_WORLD(streams_have_limits),
	};

	log_init(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
