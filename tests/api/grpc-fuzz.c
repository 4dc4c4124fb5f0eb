/* SPDX-License-Identifier: Apache-2.0
 *
 * grpc-fuzz.c - damaged HTTP/2 against api/grpc, for a sanitizer to watch
 *
 * usage: grpc-fuzz N [SEED]
 *
 * N connections, each with frames put together at random, most of them whole,
 * and then damaged: bits, bytes cut out, put in, doubled; given in pieces, to a
 * session whose writes are taken in pieces, or not. Prints the seed first. No
 * call may be left open by a connection that is closed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "fake-link.h"
#include "grpc/grpc.h"

extern const struct contract contract_everything;

#define BYTES_MAX 262144

static uint64_t state;
static struct loop *loop;
static struct grpc *grpc;
static struct link *fake;
static bool over;

/**
 * struct memory - A stream without a socket
 * @data:	What its client says
 * @size:	How much
 * @at:		How much has been read
 * @wants:	The session wants to write
 * @ended:	A bit for each stream, by half its number, that has been ended
 */
struct memory {
	struct stream stream;
	uint8_t data[BYTES_MAX];
	size_t size;
	size_t at;
	bool wants;
	uint64_t ended;
};

/* chance() - A number below @n (xorshift64*). */
static uint32_t chance(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % n;
}

/* memory_read() - Some of it; at the end -EAGAIN, or now and then the end */
static ssize_t memory_read(struct stream *stream, void *buffer, size_t size)
{
	struct memory *memory = (struct memory *)stream;
	size_t n = memory->size - memory->at;

	if (!n)
		return chance(16) ? -EAGAIN : 0;
	if (!chance(16))
		return -EAGAIN;
	if (n > size)
		n = size;
	if (chance(2))
		n = 1 + chance((uint32_t)n);
	memcpy(buffer, memory->data + memory->at, n);
	memory->at += n;
	return (ssize_t)n;
}

/* memory_write() - Taken, or some of it, or not, or broken */
static ssize_t memory_write(struct stream *stream, const void *data,
			    size_t size)
{
	switch (chance(24)) {
	case 0:
		return -EAGAIN;
	case 1:
		return 1 + (ssize_t)chance((uint32_t)size);
	case 2:
		return chance(8) ? (ssize_t)size : -EPIPE;
	default:
		return (ssize_t)size;
	}
}

static void memory_want(struct stream *stream, bool want)
{
	((struct memory *)stream)->wants = want;
}

static void memory_close(struct stream *stream)
{
	over = true;
	free(stream);
}

/* put() - Append bytes to what a client says. */
static void put(struct memory *memory, const void *data, size_t size)
{
	if (!size || size > sizeof(memory->data) - memory->size)
		return;
	memcpy(memory->data + memory->size, data, size);
	memory->size += size;
}

/* put_frame() - Append a frame. */
static void put_frame(struct memory *memory, int type, int flags,
		      uint32_t stream, const void *payload, size_t size)
{
	const uint8_t head[9] = {
		(uint8_t)(size >> 16),	 (uint8_t)(size >> 8),
		(uint8_t)size,		 (uint8_t)type,
		(uint8_t)flags,		 (uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16), (uint8_t)(stream >> 8),
		(uint8_t)stream,
	};

	put(memory, head, sizeof(head));
	put(memory, payload, size);
}

/* literal() - A header of HPACK. Return: where it ends. */
static uint8_t *literal(uint8_t *to, const char *name, const char *value)
{
	size_t name_size = strlen(name), value_size = strlen(value);

	*to++ = chance(4) ? 0 : 0x40;
	*to++ = (uint8_t)name_size;
	memcpy(to, name, name_size);
	to += name_size;
	*to++ = (uint8_t)value_size;
	memcpy(to, value, value_size);
	return to + value_size;
}

/* put_headers() - Begin a call. */
static void put_headers(struct memory *memory, uint32_t stream, bool end)
{
	static const char *const paths[] = {
		"/ioasid.test.v1.Things/GetThing",
		"/ioasid.test.v1.Things/ListThings",
		"/ioasid.test.v1.Things/ListThings",
		"/grpc.health.v1.Health/Check",
		"/grpc.health.v1.Health/Watch",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/nope",
	};
	uint8_t block[512], *to = block;
	size_t size, cut;

	to = literal(to, ":method", chance(16) ? "POST" : "GET");
	to = literal(to, ":scheme", "http");
	to = literal(to, ":path", paths[chance(ARRAY_SIZE(paths))]);
	to = literal(to, ":authority", "localhost");
	to = literal(to, "content-type",
		     chance(16) ? "application/grpc" : "text/plain");
	to = literal(to, "te", "trailers");
	if (!chance(4))
		to = literal(to, "grpc-timeout", chance(4) ? "1n" : "1S");
	size = (size_t)(to - block);
	cut = chance(8) ? size : chance((uint32_t)size);
	memory->ended |= (uint64_t)end << (stream / 2 % 64);
	put_frame(memory, 1, (end ? 1 : 0) | (cut == size ? 4 : 0), stream,
		  block, cut);
	if (cut < size)
		put_frame(memory, 9, chance(8) ? 4 : 0, stream, block + cut,
			  size - cut);
}

/* put_message() - Say something to a call. */
static void put_message(struct memory *memory, uint32_t stream)
{
	static const struct {
		const char *data;
		size_t size;
	} all[] = {
		{ "echo", 4 },
		{ "hang", 4 },
		{ "reply 70000", 11 },
		{ "fail device.in-use 9", 20 },
		{ "stream 40 3000", 14 },
		{ "stream 0 100000", 15 },
		{ "late 1", 6 },
		{ "\x0a\x04nope", 6 },
		{ "\x3a\x00", 2 },
		{ "\x1a\x15ioasid/v1/lease.proto", 23 },
		{ "\x22\x0fioasid.v1.Lease", 17 },
		{ "", 0 },
	};
	size_t i = chance(ARRAY_SIZE(all)), size = all[i].size;
	bool end = chance(4);
	uint8_t payload[64] = { chance(32) ? 0 : (uint8_t)chance(3) };

	payload[4] = (uint8_t)(chance(32) ? size : chance(64));
	memcpy(payload + 5, all[i].data, size);
	/* What goes on after its end, ends the connection. */
	if (memory->ended >> (stream / 2 % 64) & 1 && chance(64))
		return;
	memory->ended |= (uint64_t)end << (stream / 2 % 64);
	put_frame(memory, 0, end, stream, payload, 5 + size);
}

/* put_some_frame() - Say something at random. */
static void put_some_frame(struct memory *memory, uint32_t *stream)
{
	const uint8_t bytes[64] = { 0, chance(64) ? 0 : 0x7f, 0,
				    (uint8_t)chance(256), 0x10 };
	uint32_t one = *stream;

	/* One that has begun; what has not ends the connection. */
	if (*stream != UINT32_MAX && chance(64))
		one = 2 * chance(*stream / 2 + 1) + 1;
	switch (*stream == UINT32_MAX && chance(8) ? 16 : chance(16)) {
	default:
		put_headers(memory, *stream += 2, !chance(32));
		if (!chance(8))
			break;
		one = *stream;
		/* fall through */
	case 0:
	case 1:
		put_message(memory, one);
		break;
	case 2:
		put_frame(memory, 3, 0, one, bytes, 4);
		break;
	case 3:
		put_frame(memory, 4, chance(16) ? 0 : 1, 0, bytes,
			  chance(8) ? 0 : 6);
		break;
	case 4:
		put_frame(memory, 6, (int)chance(2), 0, bytes, 8);
		break;
	case 5:
		put_frame(memory, 8, 0, chance(2) ? one : 0,
			  chance(16) ? bytes + 1 : bytes + 5, 4);
		break;
	case 6:
		if (!chance(4))
			put_frame(memory, (int)chance(12), (int)chance(256),
				  one, bytes, chance(sizeof(bytes)));
		break;
	}
}

/* damage() - Change what a client says. */
static void damage(struct memory *memory)
{
	for (uint32_t n = chance(6); n && memory->size > 1; n--) {
		size_t at = chance((uint32_t)memory->size);
		size_t size = 1 + chance(32);

		if (size > memory->size - at)
			size = memory->size - at;
		switch (chance(4)) {
		case 0:
			memory->data[at] ^= (uint8_t)(1 << chance(8));
			break;
		case 1:
			memory->data[at] = (uint8_t)chance(256);
			break;
		case 2:
			memmove(memory->data + at, memory->data + at + size,
				memory->size - at - size);
			memory->size -= size;
			break;
		case 3:
			put(memory, memory->data + at, size);
			break;
		}
	}
}

/* turn() - Let the loop run a round. */
static void turn(void)
{
	loop_stop(loop);
	if (loop_run(loop) < 0)
		exit(1);
}

/* connection() - One from its beginning to its end. */
static void connection(uint64_t number)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	static const struct stream_ops ops = { memory_read, memory_write,
					       memory_want, memory_close };
	struct memory *memory = calloc(1, sizeof(*memory));
	uint32_t stream = UINT32_MAX;

	if (!memory)
		exit(1);
	memory->stream.ops = &ops;
	put(memory, preface, strlen(preface));
	put_frame(memory, 4, 0, 0, NULL, 0);
	for (uint32_t n = 1 + chance(30); n; n--)
		put_some_frame(memory, &stream);
	if (chance(2))
		damage(memory);
	over = false;
	if (grpc_add_consume(grpc, number, &memory->stream) < 0)
		exit(1);
	for (uint32_t n = 4 + chance(8); n && !over; n--) {
		memory->stream.ready(memory->stream.data);
		turn();
	}
	grpc_close(grpc, number);
	if (!over || fake_link_open(fake)) {
		fprintf(stderr, "connection %llu has left something\n",
			(unsigned long long)number);
		abort();
	}
}

/* closed() - A connection has ended by itself */
static void closed(void *data, uint64_t number)
{
	if (!over)
		abort();
}

/* main() - See usage */
int main(int argc, char **argv)
{
	struct limits limits = LIMITS_DEFAULT;
	struct error err = ERROR_NULL;
	uint64_t n, seed = clock_real_us();

	if (argc < 2 || str_u64(argv[1], 10, UINT32_MAX, &n) < 0 ||
	    (argc > 2 && str_u64(argv[2], 10, UINT64_MAX, &seed) < 0))
		return 2;
	if (getenv("GRPC_FUZZ_DEBUG"))
		log_init(LOG_LEVEL_DEBUG);
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	state = seed | 1;
	if (loop_new(&loop) < 0)
		return 1;
	fake = fake_link_new(loop);
	if (grpc_new(loop, fake, &limits, closed, NULL, &grpc, &err) < 0)
		return 1;
	grpc_use_contract(grpc, &contract_everything);
	for (uint64_t i = 1; i <= n; i++)
		connection(i);
	grpc_free(grpc);
	printf("%llu connections, %zu calls reached the link\n",
	       (unsigned long long)n, fake_link_calls(fake));
	link_free(fake);
	loop_free(loop);
	return 0;
}
