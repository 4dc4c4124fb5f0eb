/* SPDX-License-Identifier: Apache-2.0
 *
 * page-tables.h - what page-tables.c and page-table-use.c share
 */
#ifndef IOASIDD_FRONT_PAGE_TABLES_H
#define IOASIDD_FRONT_PAGE_TABLES_H

#include "front/contract.h"
#include "front/methods.h"

/* page_table_view_now() - A page table as it is. Return: 0, @ret is NULL if there
 * was no memory; -ENOENT pagetable.not-found.
 */
int page_table_view_now(struct call *call, const char *name,
			pb_page_table **ret, struct error *err);

/* reply_page_table() - Answer with a page table as it is. */
int reply_page_table(struct call *call, const char *name, struct error *err);

#endif
