/* SPDX-License-Identifier: Apache-2.0
 *
 * output.h - tables for people; text of others made safe for a terminal
 */
#ifndef IOASIDCTL_OUTPUT_H
#define IOASIDCTL_OUTPUT_H

#include <stdio.h>

#include "base/str.h"

/**
 * struct table - Rows whose columns are as wide as their content
 * @indent:	Spaces in front of each row
 * @n_columns:	How many columns
 * @cells:	The headings and then the rows, cell by cell
 * @notes:	For each row, headings included, what is shown below it
 */
struct table {
	int indent;
	size_t n_columns;
	struct strv cells;
	struct strv notes;
};

#define TABLE_NULL ((struct table){ .n_columns = 0 })

/**
 * table_row() - Add a row; the first one is the headings
 * @table:	The table
 * @...:	Its cells, const char *, ended by NULL; as many as in the first
 *		row. An empty one is shown as "-".
 */
void table_row(struct table *table, ...) __attribute__((sentinel));

/* table_note() - Say something below the last row. */
void table_note(struct table *table, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* table_print() - Print the table on stdout. */
void table_print(const struct table *table);

/* table_deinit() - Free what it holds. */
void table_deinit(struct table *table);

#define _cleanup_table_ __attribute__((cleanup(table_deinit)))

/**
 * output_clean() - Print text of others: no control character passes
 * @file:	Where
 * @text:	UTF-8
 */
void output_clean(FILE *file, const char *text);

/* output_field() - Print "Name:  text" on stdout, nothing for an empty text. */
void output_field(const char *name, const char *text);

/* output_fieldf() - output_field() with a format. */
void output_fieldf(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* output_list() - output_field() for several texts, one a line. */
void output_list(const char *name, char *const *texts, size_t n);

#endif
