/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - a holder that does what it is told, call by call
 *
 * DOC: Theory of Operation
 *
 * A case of the suite starts it, as somebody without privilege, and writes
 * commands to its standard input, a line each; it answers each with a line:
 * "ok" or the name of an errno, and "name=value" words. Its own protocol being
 * broken is "bad" with words. It knows the structures of uapi.h by the names of
 * their fields and nothing of what they mean: that is with the cases.
 *
 * All calls on descriptors go through libioasid, so the same commands run on a
 * real machine and on a simulated one.
 *
 *	claim LEASE			ok iommufd=3 device0=4 ...
 *	call FD STRUCTURE [FIELD=N...] [tail=HEX] [nr=N]
 *					ok FIELD=N ... [tail=HEX]
 *	lib COMMAND...			libioasid's own calls: see library.c
 *	pread FD AT SIZE		ok data=HEX
 *	pwrite FD AT HEX		ok n=N
 *	mem SIZE [none]			ok va=N		memory of its own
 *	memfd SIZE			ok fd=N
 *	file PATH			ok fd=N		opened for reading
 *	reopen FD			ok fd=N		for reading only
 *	map FD SIZE			ok va=N		a file in its memory
 *	unmap VA SIZE, protect VA SIZE none|read|write
 *	peek VA SIZE, poke VA HEX, fill VA SIZE SEED, same VA SIZE SEED
 *	close FD, dup FD, memlock BYTES
 *	fork				ok child=N pid=N	with all it has
 *	leave				ok pid=N	it waits to be killed, and
 *					a child of it obeys in its place
 *	child N COMMAND...		what the child answers
 *	kill N				the child is no more
 *	park FD				only in flight in a socket from now on
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "calls.h"
#include "libioasid/ioasid.h"
#include "library.h"
#include "../vm/progs/prog.h"

#define LINE_MAX_SIZE 65536
#define DATA_MAX 16384
#define WORDS_MAX 32
#define CHILDREN_MAX 8

/**
 * struct child - A forked process that obeys as we do
 * @pid:	0: there is none
 * @in:		What it is told
 * @out:	What it answers
 */
struct child {
	pid_t pid;
	FILE *in, *out;
};

/**
 * struct client - What a process is told and what it has
 * @in:		What it is told
 * @out:	What it answers
 * @words:	Of the command, @n of them
 * @rest:	For "child": the line behind the number
 * @children:	By number
 */
struct client {
	FILE *in, *out;
	char *words[WORDS_MAX];
	size_t n;
	char *rest;
	struct child children[CHILDREN_MAX];
};

/* --- words --- */

/* bad() - The command cannot be understood */
static void bad(const struct client *c, const char *why)
{
	fprintf(c->out, "bad %s: %s\n", c->words[0], why);
}

/**
 * answer() - "ok", or the name of errno, without a newline
 * @r:		Negative: it has failed
 */
static void answer(const struct client *c, ssize_t r)
{
	if (r < 0)
		fputs(strerrorname_np(errno), c->out);
	else
		fputs("ok", c->out);
}

/* say() - The same, all of the line */
static void say(const struct client *c, ssize_t r)
{
	answer(c, r);
	fputc('\n', c->out);
}

/* number() - A word that is a number; 0 for one that there is not */
static uint64_t number(const struct client *c, size_t word)
{
	return word < c->n ? strtoull(c->words[word], NULL, 0) : 0;
}

/* pointer() - A word that is an address of ours */
static void *pointer(const struct client *c, size_t word)
{
	return (void *)(uintptr_t)number(c, word);
}

/* descriptor() - A word that is a descriptor */
static int descriptor(const struct client *c, size_t word)
{
	return (int)number(c, word);
}

/**
 * unhex() - Read bytes
 * @max:	No more
 *
 * Return: how many.
 */
static size_t unhex(const char *hex, uint8_t *data, size_t max)
{
	size_t n = 0;

	while (n < max && hex[2 * n] && hex[2 * n + 1]) {
		char two[] = { hex[2 * n], hex[2 * n + 1], '\0' };

		data[n++] = (uint8_t)strtoul(two, NULL, 16);
	}

	return n;
}

/* put_hex() - Write bytes */
static void put_hex(const struct client *c, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(c->out, "%02x", data[i]);
}

/* --- the lease --- */

static void do_claim(struct client *c)
{
	struct ioasid_claim *claim;
	struct ioasid_error err;
	struct ioasid *conn;

	if (ioasid_connect(getenv("IOASIDD_SOCKET"), TIMEOUT_MS, &conn, &err) <
	    0) {
		fprintf(c->out, "refused id=%s\n", err.id);
		return;
	}
	if (ioasid_lease_claim(conn, c->words[1], &claim, &err) < 0 ||
	    ioasid_lease_acknowledge(conn, c->words[1], &err) < 0) {
		fprintf(c->out, "refused id=%s\n", err.id);
		ioasid_disconnect(conn);
		return;
	}
	fprintf(c->out, "ok iommufd=%d", claim->iommufd);
	for (size_t i = 0; i < claim->n_devices; i++) {
		fprintf(c->out, " device%zu=%d", i, claim->devices[i].fd);
		claim->devices[i].fd = -1; /* ours to keep */
	}
	fprintf(c->out, " simulated=%d\n", claim->simulated);
	claim->iommufd = -1;
	ioasid_claim_free(claim);
	ioasid_disconnect(conn);
}

/* --- calls --- */

/**
 * fill_structure() - Read the fields that a case has given
 * @s:		The structure
 * @data:	DATA_MAX bytes of zeros; filled
 * @ret_tail:	How many bytes there are behind it
 * @ret_number:	Of the call
 *
 * Return: false: there is no such field.
 */
static bool fill_structure(const struct client *c, const struct structure *s,
			   uint8_t *data, size_t *ret_tail,
			   unsigned long *ret_number)
{
	*ret_tail = 0;
	*ret_number = s->request;
	for (size_t i = 3; i < c->n; i++)
		if (!strncmp(c->words[i], "tail=", 5))
			*ret_tail = unhex(c->words[i] + 5, data + s->size,
					  DATA_MAX - s->size);
	if (s->n)
		field_set(&s->fields[0], data, s->size + *ret_tail);
	for (size_t i = 3; i < c->n; i++) {
		size_t n = strcspn(c->words[i], "=");
		const struct field *field = field_find(s, c->words[i], n);
		uint64_t value;

		if (!c->words[i][n])
			return false;
		value = strtoull(c->words[i] + n + 1, NULL, 0);
		if (!strncmp(c->words[i], "nr=", 3))
			*ret_number = value;
		else if (field)
			field_set(field, data, value);
		else if (strncmp(c->words[i], "tail=", 5))
			return false;
	}

	return true;
}

static void do_call(struct client *c)
{
	const struct structure *s = structure_find(c->words[2]);
	static _Alignas(8) uint8_t data[DATA_MAX];
	unsigned long request;
	size_t tail;

	memset(data, 0, sizeof(data));
	if (!s || !fill_structure(c, s, data, &tail, &request)) {
		bad(c, "no such structure or field");
		return;
	}
	answer(c, ioasid_ioctl(descriptor(c, 1), request, data));
	for (size_t i = 0; i < s->n; i++)
		fprintf(c->out, " %s=%" PRIu64, s->fields[i].name,
			field_get(&s->fields[i], data));
	if (tail) {
		fputs(" tail=", c->out);
		put_hex(c, data + s->size, tail);
	}
	fputc('\n', c->out);
}

static void do_lib(struct client *c)
{
	if (!library_call(c->words + 1, c->n - 1, c->out))
		bad(c, "no such call of the library, or too few words");
}

static void do_pread(struct client *c)
{
	static uint8_t data[DATA_MAX];
	size_t size = number(c, 3);
	ssize_t n;

	if (size > sizeof(data))
		size = sizeof(data);
	n = ioasid_pread(descriptor(c, 1), data, size, (off_t)number(c, 2));
	answer(c, n);
	if (n >= 0) {
		fputs(" data=", c->out);
		put_hex(c, data, (size_t)n);
	}
	fputc('\n', c->out);
}

static void do_pwrite(struct client *c)
{
	static uint8_t data[DATA_MAX];
	size_t size = unhex(c->words[3], data, sizeof(data));
	ssize_t n = ioasid_pwrite(descriptor(c, 1), data, size,
				  (off_t)number(c, 2));

	answer(c, n);
	if (n >= 0)
		fprintf(c->out, " n=%zd", n);
	fputc('\n', c->out);
}

/* --- memory --- */

/* say_va() - An address, or why there is none */
static void say_va(const struct client *c, void *va)
{
	answer(c, va == MAP_FAILED ? -1 : 0);
	fprintf(c->out, " va=%" PRIuPTR "\n", (uintptr_t)va);
}

/* say_fd() - A descriptor, or why there is none */
static void say_fd(const struct client *c, int fd)
{
	answer(c, fd);
	fprintf(c->out, " fd=%d\n", fd);
}

static void do_mem(struct client *c)
{
	bool none = c->n > 2 && str_eq(c->words[2], "none");

	say_va(c, mmap(NULL, number(c, 1),
		       none ? PROT_NONE : PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void do_memfd(struct client *c)
{
	int fd = memfd_create("conformance", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)number(c, 1)) < 0)
		fd = fd_close(fd);
	say_fd(c, fd);
}

static void do_file(struct client *c)
{
	say_fd(c, open(c->words[1], O_RDONLY | O_CLOEXEC));
}

static void do_reopen(struct client *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor(c, 1));
	say_fd(c, open(path, O_RDONLY | O_CLOEXEC));
}

static void do_map(struct client *c)
{
	say_va(c, mmap(NULL, number(c, 2), PROT_READ | PROT_WRITE, MAP_SHARED,
		       descriptor(c, 1), 0));
}

static void do_unmap(struct client *c)
{
	say(c, munmap(pointer(c, 1), number(c, 2)));
}

static void do_protect(struct client *c)
{
	int prot = PROT_NONE;

	if (str_eq(c->words[3], "read"))
		prot = PROT_READ;
	else if (str_eq(c->words[3], "write"))
		prot = PROT_READ | PROT_WRITE;
	say(c, mprotect(pointer(c, 1), number(c, 2), prot));
}

static void do_peek(struct client *c)
{
	fputs("ok data=", c->out);
	put_hex(c, pointer(c, 1), number(c, 2));
	fputc('\n', c->out);
}

static void do_poke(struct client *c)
{
	(void)unhex(c->words[2], pointer(c, 1), DATA_MAX);
	say(c, 0);
}

/* pattern() - The next byte of a row that @seed has begun */
static uint8_t pattern(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;

	return (uint8_t)(*x >> 24);
}

static void do_fill(struct client *c)
{
	uint8_t *data = pointer(c, 1);
	uint32_t x = (uint32_t)number(c, 3);

	for (size_t i = 0; i < number(c, 2); i++)
		data[i] = pattern(&x);
	say(c, 0);
}

static void do_same(struct client *c)
{
	const uint8_t *data = pointer(c, 1);
	uint32_t x = (uint32_t)number(c, 3);
	bool same = true;

	for (size_t i = 0; i < number(c, 2); i++)
		same &= data[i] == pattern(&x);
	fprintf(c->out, "ok same=%d\n", same);
}

/* --- descriptors, limits --- */

static void do_close(struct client *c)
{
	say(c, close(descriptor(c, 1)));
}

static void do_dup(struct client *c)
{
	say_fd(c, fcntl(descriptor(c, 1), F_DUPFD_CLOEXEC, 3));
}

static void do_memlock(struct client *c)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) {
		say(c, -1);
		return;
	}
	limit.rlim_cur = number(c, 1);
	say(c, setrlimit(RLIMIT_MEMLOCK, &limit));
}

/* do_park() - Send it, to nobody who will read. The socket is never closed. */
static void do_park(struct client *c)
{
	int ends[2], fd = descriptor(c, 1), r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		say(c, -1);
		return;
	}
	r = fd_send(ends[0], "parked", 6, &fd, 1);
	if (r < 0)
		errno = -r;
	else
		(void)close(fd);
	say(c, r);
}

/* --- children --- */

static void obey(struct client *c);

/* be_child() - A child's whole life: it obeys, and ends with its parent's end */
__attribute__((noreturn)) static void be_child(struct client *c, int sock)
{
	prctl(PR_SET_PDEATHSIG, 0);
	memset(c->children, 0, sizeof(c->children));
	c->in = fdopen(sock, "r");
	c->out = fdopen(dup(sock), "w");
	if (c->in && c->out)
		obey(c);
	/* What it has stays open: it is here to outlive its parent. */
	for (;;)
		pause();
}

static void do_fork(struct client *c)
{
	struct child *child = c->children;
	int ends[2];

	while (child->pid)
		if (++child == c->children + CHILDREN_MAX) {
			bad(c, "too many children");
			return;
		}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair: %m");
	fflush(NULL);
	child->pid = fork();
	if (child->pid < 0)
		die("fork: %m");
	if (!child->pid) {
		(void)close(ends[0]);
		be_child(c, ends[1]);
	}
	(void)close(ends[1]);
	child->in = fdopen(ends[0], "w");
	child->out = fdopen(dup(ends[0]), "r");
	if (!child->in || !child->out)
		die("fdopen: %m");
	fprintf(c->out, "ok child=%zu pid=%d\n", (size_t)(child - c->children),
		child->pid);
}

/* do_leave() - Whoever kills us now leaves a process that has all we had */
static void do_leave(struct client *c)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork: %m");
	while (pid)
		pause();
	prctl(PR_SET_PDEATHSIG, 0);
	memset(c->children, 0, sizeof(c->children));
	fprintf(c->out, "ok pid=%d\n", getpid());
}

/* child_of() - The child that a command names; NULL if there is none. */
static struct child *child_of(struct client *c)
{
	uint64_t n = number(c, 1);

	return n < CHILDREN_MAX && c->children[n].pid ? &c->children[n] : NULL;
}

static void do_child(struct client *c)
{
	static char line[LINE_MAX_SIZE];
	struct child *child = child_of(c);

	if (!child) {
		bad(c, "no such child");
		return;
	}
	fprintf(child->in, "%s\n", c->rest);
	fflush(child->in);
	if (!fgets(line, sizeof(line), child->out)) {
		bad(c, "the child has ended");
		return;
	}
	fputs(line, c->out);
}

static void do_kill(struct client *c)
{
	struct child *child = child_of(c);

	if (!child) {
		bad(c, "no such child");
		return;
	}
	(void)kill(child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0);
	(void)fclose(child->in);
	(void)fclose(child->out);
	memset(child, 0, sizeof(*child));
	say(c, 0);
}

/* --- the loop --- */

/* What can be said: name, how many words at least, and who does it. */
static const struct {
	const char *name;
	size_t n;
	void (*fn)(struct client *c);
} commands[] = {
	{ "claim", 2, do_claim }, { "call", 3, do_call },
	{ "lib", 2, do_lib },
	{ "pread", 4, do_pread }, { "pwrite", 4, do_pwrite },
	{ "mem", 2, do_mem },	  { "memfd", 2, do_memfd },
	{ "file", 2, do_file },	  { "reopen", 2, do_reopen },
	{ "map", 3, do_map },	  { "unmap", 3, do_unmap },
	{ "protect", 4, do_protect }, { "peek", 3, do_peek },
	{ "poke", 3, do_poke },	  { "fill", 4, do_fill },
	{ "same", 4, do_same },	  { "close", 2, do_close },
	{ "dup", 2, do_dup },	  { "memlock", 2, do_memlock },
	{ "park", 2, do_park },	  { "fork", 1, do_fork },
	{ "leave", 1, do_leave }, { "child", 3, do_child },
	{ "kill", 2, do_kill },
};

/**
 * split() - Make words of a line
 * @line:	Changed, unless it is for a child
 */
static void split(struct client *c, char *line)
{
	c->n = 0;
	c->rest = line;
	for (char *word; (word = strsep(&c->rest, " ")) && c->n < WORDS_MAX;) {
		c->words[c->n++] = word;
		if (c->n == 2 && str_eq(c->words[0], "child") && c->rest) {
			c->words[c->n++] = c->rest;
			return;
		}
	}
}

/* obey() - Until nobody says anything any more */
static void obey(struct client *c)
{
	static char line[LINE_MAX_SIZE];

	while (fgets(line, sizeof(line), c->in)) {
		size_t i;

		split(c, str_chomp(line));
		for (i = 0; i < ARRAY_SIZE(commands); i++)
			if (str_eq(commands[i].name, c->words[0]) &&
			    c->n >= commands[i].n)
				break;
		if (i < ARRAY_SIZE(commands))
			commands[i].fn(c);
		else
			bad(c, "no such command, or too few words");
		fflush(c->out);
	}
}

int main(void)
{
	struct client client = { .in = stdin, .out = stdout };

	signal(SIGPIPE, SIG_IGN);
	obey(&client);

	return 0;
}
