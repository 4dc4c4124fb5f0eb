/* SPDX-License-Identifier: Apache-2.0
 *
 * library.c - libioasid's own calls on spaces, as commands of the client
 *
 *	map FD IOAS VA LENGTH FLAGS IOVA		ok iova=N
 *	map-file FD IOAS FILE OFFSET LENGTH FLAGS IOVA	ok iova=N
 *	copy FD IOAS FROM AT LENGTH FLAGS IOVA		ok iova=N
 *	unmap FD IOAS IOVA LENGTH			ok bytes=N
 *	unmap-all FD IOAS				ok bytes=N
 *	batch memory|file|space|unmap FD IOAS FROM OPTIONS
 *		[IOVA,LENGTH,AT,FLAGS...]		ok done=N [iovas=N,...]
 *	new FD						ok id=N
 *	destroy FD ID					ok
 *	ranges FD IOAS ROOM				ok n=N alignment=N
 *							[ranges=START-LAST,...]
 *	allow FD IOAS [START,LAST...]			ok
 *	pin FD IOAS DEVICE				ok id=N
 *	bind CDEV FD					ok id=N
 *	attach CDEV ID, detach CDEV			ok
 *	watch FD TABLE ON				ok
 *	dirty FD TABLE IOVA LENGTH PAGE [OPTIONS]	ok bits=N, the first word
 *
 * A batch says how many were done when it is refused, too.
 */
#include "library.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "libioasid/ioasid.h"

#define PIECES_MAX 16

/**
 * struct command - What is asked for
 * @words:	Its arguments, @n of them
 * @out:	Where it is answered
 * @err:	For the call
 */
struct command {
	char **words;
	size_t n;
	FILE *out;
	struct ioasid_error err;
};

/* number() - An argument; 0 if there is none */
static uint64_t number(const struct command *c, size_t word)
{
	return word < c->n ? strtoull(c->words[word], NULL, 0) : 0;
}

/* fd_of() - The descriptor, which comes first */
static int fd_of(const struct command *c)
{
	return (int)number(c, 0);
}

/* id_of() - The id, which comes next */
static uint32_t id_of(const struct command *c)
{
	return (uint32_t)number(c, 1);
}

/* put_hex() - Words, as one word */
static void put_hex(const struct command *c, const char *name, const char *text)
{
	fprintf(c->out, " %s=", name);
	while (*text)
		fprintf(c->out, "%02x", (unsigned char)*text++);
}

/* say() - How it went; what was found may follow if it was well. Return: @r. */
static int say(const struct command *c, int r)
{
	if (r == 0) {
		fputs("ok", c->out);
		return 0;
	}
	fprintf(c->out, "%s id=%s", strerrorname_np(-r), c->err.id);
	put_hex(c, "message", c->err.message);
	put_hex(c, "remedy", c->err.remedy);
	return r;
}

/* say_number() - The same with a number, if it went well */
static void say_number(const struct command *c, int r, const char *name,
		       uint64_t value)
{
	if (say(c, r) == 0)
		fprintf(c->out, " %s=%" PRIu64, name, value);
}

static void do_map(struct command *c)
{
	uint64_t iova = number(c, 5);
	int r = ioasid_map(fd_of(c), id_of(c), (void *)(uintptr_t)number(c, 2),
			   number(c, 3), (uint32_t)number(c, 4), &iova,
			   &c->err);

	say_number(c, r, "iova", iova);
}

static void do_map_file(struct command *c)
{
	uint64_t iova = number(c, 6);
	int r = ioasid_map_file(fd_of(c), id_of(c), (int)number(c, 2),
				number(c, 3), number(c, 4),
				(uint32_t)number(c, 5), &iova, &c->err);

	say_number(c, r, "iova", iova);
}

static void do_copy(struct command *c)
{
	uint64_t iova = number(c, 6);
	int r = ioasid_copy(fd_of(c), id_of(c), (uint32_t)number(c, 2),
			    number(c, 3), number(c, 4), (uint32_t)number(c, 5),
			    &iova, &c->err);

	say_number(c, r, "iova", iova);
}

static void do_unmap(struct command *c)
{
	uint64_t bytes = 0;
	int r = ioasid_unmap(fd_of(c), id_of(c), number(c, 2), number(c, 3),
			     &bytes, &c->err);

	say_number(c, r, "bytes", bytes);
}

static void do_unmap_all(struct command *c)
{
	uint64_t bytes = 0;
	int r = ioasid_unmap_all(fd_of(c), id_of(c), &bytes, &c->err);

	say_number(c, r, "bytes", bytes);
}

/* numbers() - Read up to four of them with commas between */
static void numbers(const char *word, uint64_t ret[4])
{
	memset(ret, 0, 4 * sizeof(*ret));
	for (size_t i = 0; i < 4 && word; i++) {
		ret[i] = strtoull(word, NULL, 0);
		word = strchr(word, ',');
		word = word ? word + 1 : NULL;
	}
}

/* batch() - Make the call with many pieces that @kind names. Return: its. */
static int batch(struct command *c, const char *kind,
		 struct ioasid_piece *pieces, size_t n, size_t *done)
{
	int fd = (int)number(c, 1), from = (int)number(c, 3);
	uint32_t ioas = (uint32_t)number(c, 2);
	unsigned int options = (unsigned int)number(c, 4);

	if (str_eq(kind, "memory"))
		return ioasid_map_batch(fd, ioas, pieces, n, options, done,
					&c->err);
	if (str_eq(kind, "file"))
		return ioasid_map_file_batch(fd, ioas, from, pieces, n, options,
					     done, &c->err);
	if (str_eq(kind, "space"))
		return ioasid_copy_batch(fd, ioas, (uint32_t)from, pieces, n,
					 options, done, &c->err);

	return ioasid_unmap_batch(fd, ioas, pieces, n, done, NULL, &c->err);
}

static void do_batch(struct command *c)
{
	struct ioasid_piece pieces[PIECES_MAX];
	size_t n = 0, done = 0;

	for (size_t i = 5; i < c->n && n < PIECES_MAX; i++) {
		uint64_t value[4];

		numbers(c->words[i], value);
		pieces[n++] = (struct ioasid_piece){
			.iova = value[0], .length = value[1], .at = value[2],
			.flags = (uint32_t)value[3],
		};
	}
	(void)say(c, batch(c, c->words[0], pieces, n, &done));
	fprintf(c->out, " done=%zu", done);
	for (size_t i = 0; i < done; i++)
		fprintf(c->out, "%s%" PRIu64, i ? "," : " iovas=",
			pieces[i].iova);
}

static void do_new(struct command *c)
{
	uint32_t id = 0;
	int r = ioasid_ioas_new(fd_of(c), &id, &c->err);

	say_number(c, r, "id", id);
}

static void do_destroy(struct command *c)
{
	(void)say(c, ioasid_object_destroy(fd_of(c), id_of(c), &c->err));
}

static void do_ranges(struct command *c)
{
	struct ioasid_range ranges[PIECES_MAX];
	size_t n = number(c, 2) < PIECES_MAX ? number(c, 2) : PIECES_MAX;
	uint64_t alignment = 0;
	int r = ioasid_ioas_ranges(fd_of(c), id_of(c), ranges, &n, &alignment,
				   &c->err);

	(void)say(c, r);
	fprintf(c->out, " n=%zu alignment=%" PRIu64, n, alignment);
	for (size_t i = 0; i < n && r == 0; i++)
		fprintf(c->out, "%s%" PRIu64 "-%" PRIu64,
			i ? "," : " ranges=", ranges[i].start, ranges[i].last);
}

static void do_allow(struct command *c)
{
	struct ioasid_range windows[PIECES_MAX];
	size_t n = 0;

	for (size_t i = 2; i < c->n && n < PIECES_MAX; i++) {
		uint64_t value[4];

		numbers(c->words[i], value);
		windows[n++] = (struct ioasid_range){ value[0], value[1] };
	}
	(void)say(c, ioasid_ioas_allow(fd_of(c), id_of(c), windows, n,
				       &c->err));
}

static void do_pin(struct command *c)
{
	uint32_t id = 0;
	int r = ioasid_ioas_pin(fd_of(c), id_of(c), (uint32_t)number(c, 2), &id,
				&c->err);

	say_number(c, r, "id", id);
}

static void do_bind(struct command *c)
{
	uint32_t id = 0;
	int r = ioasid_cdev_bind(fd_of(c), (int)number(c, 1), &id, &c->err);

	say_number(c, r, "id", id);
}

static void do_attach(struct command *c)
{
	(void)say(c, ioasid_cdev_attach(fd_of(c), id_of(c), &c->err));
}

static void do_detach(struct command *c)
{
	(void)say(c, ioasid_cdev_detach(fd_of(c), &c->err));
}

static void do_watch(struct command *c)
{
	(void)say(c, ioasid_dirty_watch(fd_of(c), id_of(c), number(c, 2),
					&c->err));
}

static void do_dirty(struct command *c)
{
	uint64_t bitmap[PIECES_MAX] = { 0 };
	int r = ioasid_dirty_read(fd_of(c), id_of(c), number(c, 2),
				  number(c, 3), number(c, 4),
				  (unsigned int)number(c, 5), bitmap, &c->err);

	say_number(c, r, "bits", bitmap[0]);
}

/* Name, how many arguments at least, and who does it. */
static const struct {
	const char *name;
	size_t n;
	void (*fn)(struct command *c);
} commands[] = {
	{ "map", 6, do_map },	      { "map-file", 7, do_map_file },
	{ "copy", 7, do_copy },	      { "unmap", 4, do_unmap },
	{ "unmap-all", 2, do_unmap_all }, { "batch", 5, do_batch },
	{ "new", 1, do_new },	      { "destroy", 2, do_destroy },
	{ "ranges", 3, do_ranges },   { "allow", 2, do_allow },
	{ "pin", 3, do_pin },	      { "bind", 2, do_bind },
	{ "attach", 2, do_attach },   { "detach", 1, do_detach },
	{ "watch", 3, do_watch },     { "dirty", 5, do_dirty },
};

/* library_call() - See library.h. */
bool library_call(char **words, size_t n, FILE *out)
{
	struct command c = { .words = words + 1, .n = n - 1, .out = out };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!str_eq(commands[i].name, words[0]) ||
		    c.n < commands[i].n)
			continue;
		commands[i].fn(&c);
		fputc('\n', out);
		return true;
	}

	return false;
}
