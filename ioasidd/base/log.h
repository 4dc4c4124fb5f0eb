/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h - one line to stderr; under systemd with its priority in front
 *
 * Log once, at the edge: kernel/, model/ and store/ return errors, ops/, front/
 * and run/ log. Safe from every thread.
 */
#ifndef IOASIDD_BASE_LOG_H
#define IOASIDD_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

/* The numbers of syslog(3) and sd-daemon(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/**
 * log_init() - Say how to log; before threads start
 * @level:	The least urgent level to show
 *
 * If JOURNAL_STREAM names our stderr each line starts with "<N>" instead of the
 * time.
 */
void log_init(enum log_level level);

/* log_level_from_name() - "error".."debug". Return: 0 or -EINVAL. */
int log_level_from_name(const char *name, enum log_level *ret);

void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* log_set_level() - From now on show what is as urgent; from every thread. */
void log_set_level(enum log_level level);

/**
 * log_event() - Write one line that operators look for, at whatever level
 * @level:	How urgent
 * @message_id:	What it is, for the journal: 32 hexadecimal digits
 * @fmt:	The words
 */
void log_event(enum log_level level, const char *message_id, const char *fmt,
	       ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/**
 * log_problem() - Log a filled error with its id and causes
 * @level:	How urgent
 * @err:	The error
 * @fmt:	What failed
 */
void log_problem(enum log_level level, const struct error *err,
		 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
