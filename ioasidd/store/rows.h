/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.h - one row of a table on its way in or out, column by column
 *
 * Writing: on the writer thread, inside a store_fn. Reading: at start-up, every
 * column checked as if from a stranger. The first failure stays; what comes
 * after it does nothing.
 */
#ifndef IOASIDD_STORE_ROWS_H
#define IOASIDD_STORE_ROWS_H

#include "base/clock.h"
#include "store/db.h"
#include "store/store.h"

/**
 * struct put - One row on its way
 * @tx:		The transaction
 * @statement:	Its parameters are bound from left to right
 * @index:	How many are bound
 * @rc:		SQLite's first failure
 */
struct put {
	struct store_tx *tx;
	sqlite3_stmt *statement;
	int index;
	int rc;
};

/**
 * put_begin() - Begin a row
 * @tx:		The transaction
 * @id:		The statement
 *
 * Return: the row.
 */
struct put put_begin(struct store_tx *tx, enum db_statement id);

/**
 * put_text() - Bind a string
 * @p:		The row
 * @s:		Copied if it has to be mended: load would refuse what is not
 *		UTF-8, and a file name must not keep an operation from its
 *		journal
 */
void put_text(struct put *p, const char *s);

/**
 * put_number() - Bind a number that fits 63 bits
 * @p:		The row
 * @value:	A larger one fails the row: it would come back negative
 */
void put_number(struct put *p, uint64_t value);

/**
 * put_blob() - Bind bytes
 * @p:		The row
 * @data:	Not NULL, which would be bound as such
 * @size:	How many, may be 0
 */
void put_blob(struct put *p, const void *data, size_t size);

/**
 * put_u64() - Bind a number that needs 64 bits
 * @p:		The row
 * @value:	The number
 */
void put_u64(struct put *p, uint64_t value);

/**
 * put_end() - Write the row
 * @p:		All parameters are bound
 * @what:	What it is, for the message
 * @err:	Filled on failure
 *
 * Return: 0 or as db_error().
 */
int put_end(struct put *p, const char *what, struct error *err);

/**
 * struct get - Rows on their way out, column by column from the left
 * @db:		The database
 * @statement:	Where they come from
 * @table:	For messages
 * @key:	Name of the row, for messages
 * @column:	The next one
 * @r:		The first failure; after it all columns read as empty
 * @err:	Filled with it
 */
struct get {
	struct db *db;
	sqlite3_stmt *statement;
	const char *table;
	char key[NAME_SIZE];
	int column;
	int r;
	struct error *err;
};

/**
 * get_begin() - Begin to read a table
 * @db:		The database
 * @id:		The statement
 * @table:	Its table
 * @of:		Its one parameter: the name of the row that those belong to;
 *		NULL if it has none
 * @err:	Filled on failure
 *
 * Return: no row yet.
 */
struct get get_begin(struct db *db, enum db_statement id,
		     const char *table, const char *of,
		     struct error *err);

/**
 * get_row() - The next row
 * @g:		The rows
 *
 * Return: true if there is one; false at the end and on failure.
 */
bool get_row(struct get *g);

/**
 * get_end() - End reading
 * @g:		The rows
 *
 * Return: 0; -EUCLEAN; as db_error().
 */
int get_end(struct get *g);

/**
 * bad() - Say what is wrong with the column that was read last
 * @g:		The rows
 * @what:	What is wrong
 */
void bad(struct get *g, const char *what);

/**
 * get_text() - The next column, a string
 * @g:		The rows
 * @dst:	Where it goes, always ended
 * @size:	Room there
 */
void get_text(struct get *g, char *dst, size_t size);

/**
 * get_name() - The next column, a resource name
 * @g:		The rows; its @key is set
 * @kind:	"leases/"
 * @dst:	Where it goes
 */
void get_name(struct get *g, const char *kind, char dst[NAME_SIZE]);

/**
 * get_number() - The next column, a number without a sign
 * @g:		The rows
 * @max:	The largest that it can be
 *
 * Return: the number; 0 on failure.
 */
uint64_t get_number(struct get *g, uint64_t max);

/**
 * get_blob() - The next column, bytes
 * @g:		The rows
 * @dst:	Where they go
 * @size:	Room there
 *
 * Return: how many there are; 0 on failure.
 */
size_t get_blob(struct get *g, void *dst, size_t size);

/**
 * get_u64() - The next column, a number that needs 64 bits
 * @g:		The rows
 *
 * Return: the number; 0 on failure.
 */
uint64_t get_u64(struct get *g);

/* store_put_spaces() - Write the spaces of a lease; its row is there, and none
 * of these. Return: 0 or as db_error().
 */
int store_put_spaces(struct store_tx *tx, const struct lease *lease,
		     struct error *err);

/* store_trim_mappings() - Forget mappings of spaces that a lease has no more; of
 * one that has ended all of them, and its memfds. Its spaces are written.
 * Return: 0 or as db_error().
 */
int store_trim_mappings(struct store_tx *tx, const struct lease *lease,
			struct error *err);

/* store_load_mappings() - Read what is mapped for a lease, and its memfds.
 * Return: 0 or -errno.
 */
int store_load_mappings(struct db *db, struct lease *lease,
			struct error *err);

/* store_load_spaces() - Read the spaces of a lease. Return: 0 or -errno. */
int store_load_spaces(struct db *db, struct lease *lease, struct error *err);

/* store_put_tables(), store_load_tables() - Likewise its page tables; the spaces
 * come first.
 */
int store_put_tables(struct store_tx *tx, const struct lease *lease,
		     struct error *err);
int store_load_tables(struct db *db, struct lease *lease, struct error *err);

/* store_put_nodes(), store_load_nodes() - Likewise its nodes. */
int store_put_nodes(struct store_tx *tx, const struct lease *lease,
		    struct error *err);
int store_load_nodes(struct db *db, struct lease *lease, struct error *err);

/**
 * get_labels() - Read the labels of something
 * @statement:	Which selects keys and values by its name
 * @table:	For words
 * @name:	Its name
 * @max:	More are no labels of ours
 * @labels:	Filled: key, value, key, value
 *
 * Return: 0; -EUCLEAN; as db_error().
 */
int get_labels(struct db *db, enum db_statement statement, const char *table,
	       const char *name, size_t max, struct strv *labels,
	       struct error *err);

#endif
