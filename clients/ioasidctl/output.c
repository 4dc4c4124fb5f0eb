/* SPDX-License-Identifier: Apache-2.0
 *
 * output.c - tables for people; text of others made safe for a terminal
 */
#include <stdarg.h>
#include <string.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/output.h"

/* Where the values of output_field() begin. */
#define FIELD_WIDTH 18

/**
 * width() - How many columns a text takes
 * @text:	UTF-8; each character is taken to be one column wide
 *
 * Return: the columns.
 */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* output_clean() - See output.h. */
void output_clean(FILE *file, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	for (; *s; s++) {
		if (*s < 0x20 || *s == 0x7f) {
			(void)fputc('?', file);
		} else if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0) {
			/* C1: some terminals take them for escapes. */
			(void)fputc('?', file);
			s++;
		} else {
			(void)fputc(*s, file);
		}
	}
}

/* table_row() - See output.h. */
void table_row(struct table *table, ...)
{
	size_t before = table->cells.n;
	const char *cell;
	va_list ap;

	va_start(ap, table);
	while ((cell = va_arg(ap, const char *)))
		if (strv_add(&table->cells, *cell ? cell : "-") < 0)
			ctl_no_memory();
	va_end(ap);
	if (!table->n_columns)
		table->n_columns = table->cells.n - before;
	if (strv_add(&table->notes, "") < 0)
		ctl_no_memory();
}

/* table_note() - See output.h. */
void table_note(struct table *table, const char *fmt, ...)
{
	char **note = &table->notes.items[table->notes.n - 1];
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		ctl_no_memory();
	free(*note);
	*note = text;
}

/**
 * column_width() - How wide a column is
 * @table:	The table
 * @column:	Which
 *
 * Return: the width of its widest cell.
 */
static int column_width(const struct table *table, size_t column)
{
	int widest = 0;

	for (size_t i = column; i < table->cells.n; i += table->n_columns)
		if (width(table->cells.items[i]) > widest)
			widest = width(table->cells.items[i]);
	return widest;
}

/* table_print() - See output.h. */
void table_print(const struct table *table)
{
	for (size_t i = 0; i < table->cells.n; i++) {
		const char *cell = table->cells.items[i];
		const char *note = table->notes.items[i / table->n_columns];
		size_t column = i % table->n_columns;

		if (column == 0)
			printf("%*s", table->indent, "");
		output_clean(stdout, cell);
		if (column + 1 < table->n_columns) {
			printf("%*s", column_width(table, column) -
			       width(cell) + 2, "");
			continue;
		}
		printf("\n");
		if (*note) {
			printf("%*s", table->indent + 4, "");
			output_clean(stdout, note);
			printf("\n");
		}
	}
}

/* table_deinit() - See output.h. */
void table_deinit(struct table *table)
{
	strv_deinit(&table->cells);
	strv_deinit(&table->notes);
}

/* output_field() - See output.h. */
void output_field(const char *name, const char *text)
{
	if (!text[0])
		return;
	printf("%s%s%*s", name, name[0] ? ":" : " ",
	       FIELD_WIDTH - 1 - (int)strlen(name), "");
	output_clean(stdout, text);
	printf("\n");
}

/* output_fieldf() - See output.h. */
void output_fieldf(const char *name, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		ctl_no_memory();
	output_field(name, text);
}

/* output_list() - See output.h. */
void output_list(const char *name, char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		output_field(i ? "" : name, texts[i]);
}
