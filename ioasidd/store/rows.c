/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.c - one row of a table on its way in or out, column by column
 */
#include "store/rows.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* --- in --- */

/* put_begin() - See rows.h */
struct put put_begin(struct store_tx *tx, enum db_statement id)
{
	return (struct put){
		.tx = tx,
		.statement = tx->db->statements[id],
	};
}

/* put_text() - See rows.h */
void put_text(struct put *p, const char *s)
{
	char *mended;
	size_t n;

	if (p->rc)
		return;
	n = strlen(s);
	if (str_utf8_valid(s, n)) {
		p->rc = sqlite3_bind_text64(p->statement, ++p->index, s, n,
					    SQLITE_STATIC, SQLITE_UTF8);
		return;
	}

	mended = strdup(s);
	p->rc = mended ? sqlite3_bind_text64(p->statement, ++p->index,
					     str_clean(mended), n, free,
					     SQLITE_UTF8) :
			 SQLITE_NOMEM;
}

/* put_number() - See rows.h */
void put_number(struct put *p, uint64_t value)
{
	if (p->rc)
		return;
	p->rc = value > INT64_MAX ? SQLITE_TOOBIG :
		sqlite3_bind_int64(p->statement, ++p->index, (int64_t)value);
}

/* put_blob() - See rows.h */
void put_blob(struct put *p, const void *data, size_t size)
{
	if (!p->rc)
		p->rc = sqlite3_bind_blob64(p->statement, ++p->index, data,
					    size, SQLITE_TRANSIENT);
}

/* put_u64() - See rows.h */
void put_u64(struct put *p, uint64_t value)
{
	uint64_t big = htobe64(value);

	static_assert(sizeof(big) == DB_U64_SIZE, "as stored");
	put_blob(p, &big, sizeof(big));
}

/* put_end() - See rows.h */
int put_end(struct put *p, const char *what, struct error *err)
{
	int rc = p->rc ? p->rc : sqlite3_step(p->statement), r = 0;
	struct store_tx *tx = p->tx;

	/* What could not be bound may never have come to SQLite. */
	if (rc != SQLITE_DONE)
		r = db_error(p->rc ? NULL : tx->db->handle, rc, what, err);
	if (r < 0 && !tx->r)
		tx->r = db_error(p->rc ? NULL : tx->db->handle, rc, what,
				 &tx->why);
	(void)sqlite3_reset(p->statement); /* repeats the error */
	(void)sqlite3_clear_bindings(p->statement); /* always 0 */

	return r;
}

/* --- out --- */

/* get_begin() - See rows.h */
struct get get_begin(struct db *db, enum db_statement id,
			    const char *table, const char *of,
			    struct error *err)
{
	struct get g = {
		.db = db,
		.statement = db->statements[id],
		.table = table,
		.err = err,
	};
	int rc = SQLITE_OK;

	if (of) {
		(void)str_copy(g.key, sizeof(g.key), of);
		rc = sqlite3_bind_text(g.statement, 1, of, -1,
				       SQLITE_TRANSIENT);
	}
	if (rc)
		g.r = db_error(db->handle, rc, table, err);

	return g;
}

/* get_row() - See rows.h */
bool get_row(struct get *g)
{
	int rc;

	if (g->r)
		return false;
	g->column = 0;
	rc = sqlite3_step(g->statement);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		g->r = db_error(g->db->handle, rc, g->table, g->err);

	return rc == SQLITE_ROW;
}

/* get_end() - See rows.h */
int get_end(struct get *g)
{
	(void)sqlite3_reset(g->statement); /* repeats the error */
	(void)sqlite3_clear_bindings(g->statement); /* always 0 */

	return g->r;
}

/* bad() - See rows.h */
void bad(struct get *g, const char *what)
{
	if (g->r)
		return;
	g->r = error_set(g->err, -EUCLEAN, ERROR_STORE_DAMAGED,
			 "table '%s', row '%s', column '%s': %s", g->table,
			 g->key, sqlite3_column_name(g->statement,
						     g->column - 1),
			 what);
}

/* get_text() - See rows.h */
void get_text(struct get *g, char *dst, size_t size)
{
	const char *text;
	size_t n;

	dst[0] = '\0';
	if (g->r)
		return;
	if (sqlite3_column_type(g->statement, g->column++) != SQLITE_TEXT) {
		bad(g, "is no text");
		return;
	}
	text = (const char *)sqlite3_column_text(g->statement, g->column - 1);
	n = (size_t)sqlite3_column_bytes(g->statement, g->column - 1);
	if (!text)
		g->r = db_error(NULL, SQLITE_NOMEM, g->table, g->err);
	else if (!str_utf8_valid(text, n))
		bad(g, "is not UTF-8");
	else if (n >= size)
		bad(g, "is too long");
	else
		(void)str_copy(dst, size, text);
}

/* get_name() - See rows.h */
void get_name(struct get *g, const char *kind, char dst[NAME_SIZE])
{
	const char *rest;

	get_text(g, dst, NAME_SIZE);
	(void)str_copy(g->key, sizeof(g->key), dst);
	if (g->r)
		return;
	rest = str_starts(dst, kind);
	if (!rest || !*rest)
		bad(g, "is not the name of such an object");
	else if (!str_eq(kind, "devices/") && !ulid_valid(rest))
		bad(g, "is not a name that was made here");
}

/* get_number() - See rows.h */
uint64_t get_number(struct get *g, uint64_t max)
{
	int64_t value;

	if (g->r)
		return 0;
	if (sqlite3_column_type(g->statement, g->column++) !=
	    SQLITE_INTEGER) {
		bad(g, "is no number");
		return 0;
	}
	value = sqlite3_column_int64(g->statement, g->column - 1);
	if (value < 0 || (uint64_t)value > max) {
		bad(g, "is out of range");
		return 0;
	}

	return (uint64_t)value;
}

/* get_blob() - See rows.h */
size_t get_blob(struct get *g, void *dst, size_t size)
{
	size_t n;

	if (g->r)
		return 0;
	if (sqlite3_column_type(g->statement, g->column++) != SQLITE_BLOB) {
		bad(g, "is no blob");
		return 0;
	}
	n = (size_t)sqlite3_column_bytes(g->statement, g->column - 1);
	if (n > size) {
		bad(g, "is too long");
		return 0;
	}
	if (n)
		memcpy(dst, sqlite3_column_blob(g->statement, g->column - 1),
		       n);

	return n;
}

/* get_u64() - See rows.h */
uint64_t get_u64(struct get *g)
{
	uint64_t big = 0;

	if (get_blob(g, &big, sizeof(big)) != DB_U64_SIZE)
		bad(g, "is not 8 bytes long");

	return g->r ? 0 : be64toh(big);
}

/* get_labels() - See rows.h */
int get_labels(struct db *db, enum db_statement statement, const char *table,
	       const char *name, size_t max, struct strv *labels,
	       struct error *err)
{
	struct get g = get_begin(db, statement, table, name, err);

	while (get_row(&g)) {
		char key[LABEL_KEY_MAX + 1], value[LABEL_VALUE_MAX + 1];

		get_text(&g, key, sizeof(key));
		get_text(&g, value, sizeof(value));
		if (labels->n == 2 * max)
			bad(&g, "there are too many");
		if (!g.r && (strv_add(labels, key) || strv_add(labels, value)))
			g.r = db_error(NULL, SQLITE_NOMEM, g.table, err);
	}

	return get_end(&g);
}
