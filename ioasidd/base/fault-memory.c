/* SPDX-License-Identifier: Apache-2.0
 *
 * fault-memory.c - memory and threads that can be refused
 *
 * Linked with --wrap (see the Makefile), so that each call in our own objects
 * comes here first. What the libraries take for themselves (SQLite's pages and
 * statements, say) does not: they are not ours. protobuf-c takes its memory
 * from our arenas and is refused it there.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

/**
 * refused() - Is this memory to be refused?
 * @name:	Of the call
 *
 * Return: true if so; errno says why.
 */
static bool refused(const char *name)
{
	int r = fault_point(FAULT_MEMORY, name, NULL);

	if (r < 0)
		errno = -r;
	return r < 0;
}

/* WRAP() - A call that takes memory and returns NULL without
 * @type:	What it returns
 * @name:	Its name
 * @params:	Its parameters
 * @args:	Their names
 */
#define WRAP(type, name, params, args)               \
	type __real_##name params;                   \
	type __wrap_##name params;                   \
	type __wrap_##name params                    \
	{                                            \
		if (refused(#name))                  \
			return NULL;                 \
		return __real_##name args;           \
	}

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t size), (p, size))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(DIR *, opendir, (const char *path), (path))
WRAP(DIR *, fdopendir, (int fd), (fd))
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
WRAP(FILE *, open_memstream, (char **text, size_t *size), (text, size))

int __real_vasprintf(char **ret, const char *fmt, va_list args);
int __wrap_vasprintf(char **ret, const char *fmt, va_list args);
int __real___vasprintf_chk(char **ret, int flag, const char *fmt,
			   va_list args);
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt,
			   va_list args);

/* __wrap_vasprintf() - vasprintf(3) */
int __wrap_vasprintf(char **ret, const char *fmt, va_list args)
{
	return refused("vasprintf") ? -1 : __real_vasprintf(ret, fmt, args);
}

/* __wrap___vasprintf_chk() - What _FORTIFY_SOURCE makes of it */
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list args)
{
	return refused("vasprintf") ?
		       -1 : __real___vasprintf_chk(ret, flag, fmt, args);
}

int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attr,
			  void *(*fn)(void *data), void *data);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr,
			  void *(*fn)(void *data), void *data);

/* __wrap_pthread_create() - pthread_create(3): a stack is memory too */
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr,
			  void *(*fn)(void *data), void *data)
{
	const int saved = errno;

	if (refused("pthread_create")) {
		errno = saved;
		return EAGAIN;
	}
	return __real_pthread_create(ret, attr, fn, data);
}
