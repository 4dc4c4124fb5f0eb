/* SPDX-License-Identifier: Apache-2.0
 *
 * table.h - string tables of enums, read backwards
 */
#ifndef IOASIDD_MODEL_TABLE_H
#define IOASIDD_MODEL_TABLE_H

#include <errno.h>
#include <stddef.h>

#include "base/str.h"

/**
 * table_find() - The index of a name in an enum's string table
 * @names:	The table
 * @n:		Its length
 * @name:	What to look for
 *
 * Return: the index; -EINVAL if it is not there.
 */
static inline int table_find(const char *const *names, size_t n,
			     const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eq(names[i], name))
			return i;
	return -EINVAL;
}

#endif
