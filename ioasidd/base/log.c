/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c - one line to stderr; under systemd with its priority in front
 *
 * Each line is one write(2), so that lines of several threads do not mix and
 * no lock is needed.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define LINE_SIZE 2048

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
static_assert(ARRAY_SIZE(level_names) == LOG_LEVEL_DEBUG + 1,
	      "a name for each level");

static _Atomic int max_level = LOG_LEVEL_INFO;
static _Atomic bool to_journal;

/**
 * journal_is_stderr() - Does the journal read our stderr?
 *
 * systemd puts "device:inode" of the stream it made into JOURNAL_STREAM; a
 * shell below us may have redirected stderr since.
 *
 * Return: true if it does.
 */
static bool journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%ju:%ju", &dev, &ino) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st))
		return false;

	return st.st_dev == dev && st.st_ino == ino;
}

/* log_init() - Say how to log; before threads start */
void log_init(enum log_level level)
{
	max_level = (int)level;
	to_journal = journal_is_stderr();
}

/* log_level_from_name() - "error".."debug" */
int log_level_from_name(const char *name, enum log_level *ret)
{
	for (unsigned int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (str_eq(name, level_names[i])) {
			*ret = i;
			return 0;
		}
	}

	return -EINVAL;
}

/**
 * line_start() - Begin a line with its priority, or with the time and level
 * @line:	LINE_SIZE of room
 * @level:	How urgent
 *
 * Return: how much of @line is used.
 */
static size_t line_start(char *line, enum log_level level)
{
	uint64_t now;
	struct tm tm;
	time_t t;

	if (to_journal) {
		str_format(line, LINE_SIZE, "<%d>", (int)level);
		return strlen(line);
	}

	now = clock_real_us();
	t = (time_t)(now / 1000000);
	gmtime_r(&t, &tm);
	str_format(line, LINE_SIZE,
		   "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ %s: ",
		   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec,
		   (unsigned int)(now % 1000000 / 1000), level_names[level]);

	return strlen(line);
}

/**
 * write_line() - Format one line and write it
 * @level:	How urgent
 * @fmt:	The words; %m is the errno of the caller
 * @args:	For @fmt
 */
__attribute__((format(printf, 2, 0))) static void
write_line(enum log_level level, const char *fmt, va_list args)
{
	char line[LINE_SIZE];
	int saved = errno;
	size_t n;

	n = line_start(line, level);
	errno = saved;
	vsnprintf(line + n, sizeof(line) - n, fmt, args);
	str_clean(line + n);
	n += strlen(line + n);
	line[n++] = '\n'; /* in place of the NUL */

	/* Nobody is left to be told when this fails. */
	if (write(STDERR_FILENO, line, n) < 0)
		(void)0;
	errno = saved;
}

/* write_always() - Write one line at whatever level */
static void __attribute__((format(printf, 2, 3)))
write_always(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(level, fmt, args);
	va_end(args);
}

/* log_set_level() - From now on show what is as urgent */
void log_set_level(enum log_level level)
{
	max_level = (int)level;
}

/**
 * journal_send() - Give the journal a line with its fields
 * @level:	How urgent
 * @message_id:	What it is
 * @line:	The words, one line
 *
 * A line on stderr has no room for MESSAGE_ID: this is the protocol of
 * systemd-journald's own socket, a datagram of KEY=VALUE lines.
 *
 * Return: true if it was taken.
 */
static bool journal_send(enum log_level level, const char *message_id,
			 const char *line)
{
	const struct sockaddr_un journal = {
		.sun_family = AF_UNIX,
		.sun_path = "/run/systemd/journal/socket",
	};
	char text[LINE_SIZE + 256];
	bool sent;
	int fd;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	str_format(text, sizeof(text),
		   "PRIORITY=%d\nMESSAGE_ID=%s\nSYSLOG_IDENTIFIER=%s\nMESSAGE=%s\n",
		   (int)level, message_id, program_invocation_short_name, line);
	sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		      (const struct sockaddr *)&journal,
		      sizeof(journal)) >= 0;
	(void)close(fd);
	return sent;
}

/* log_event() - Write one line that operators look for */
void log_event(enum log_level level, const char *message_id, const char *fmt,
	       ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	str_clean(line);
	if (to_journal && journal_send(level, message_id, line))
		return;
	write_always(level, "%s", line);
}

/* log_write() - Write one line, if the level is shown */
void log_write(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if ((int)level > max_level)
		return;

	va_start(args, fmt);
	write_line(level, fmt, args);
	va_end(args);
}

/**
 * log_problem() - Log a filled error with its id and causes
 *
 * One line for the error, and one for each thing that stands in the way.
 */
void log_problem(enum log_level level, const struct error *err,
		 const char *fmt, ...)
{
	const char *object = err->object[0] ? err->object : "";
	const char *comma = err->object[0] ? ", " : "";
	char what[512];
	va_list args;

	if ((int)level > max_level)
		return;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);

	log_write(level, "%s: %s [%s%s%s]", what, err->msg,
		  error_kind(err->kind)->id, comma, object);
	for (size_t i = 0; i < err->n_causes; i++)
		log_write(level, "%s: in the way: %s %s: %s", what,
			  err->causes[i].kind, err->causes[i].name,
			  err->causes[i].detail);
}
