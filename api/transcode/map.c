/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - the entries of maps, ordered by their keys
 */
#include <stdlib.h>
#include <string.h>

#include "transcode/scalar.h"
#include "transcode/transcode.h"

/* order() - -1, 0 or 1, as @a is less than, the same as or more than @b. */
#define order(a, b) (((a) > (b)) - ((a) < (b)))

/**
 * compare_keys() - Compare the keys of two entries
 * @type:	Of an entry
 * @a:		One
 * @b:		Another
 *
 * Return: as strcmp().
 */
static int compare_keys(const struct message_type *type,
			const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t at = type->memory->fields[0].offset;
	const void *x = (const uint8_t *)a + at, *y = (const uint8_t *)b + at;

	switch (type->fields[0].kind) {
	case KIND_STRING:
		return strcmp(*(char *const *)x, *(char *const *)y);
	case KIND_BOOL:
	case KIND_INT32:
		return order(*(const int32_t *)x, *(const int32_t *)y);
	case KIND_UINT32:
		return order(*(const uint32_t *)x, *(const uint32_t *)y);
	case KIND_INT64:
		return order(*(const int64_t *)x, *(const int64_t *)y);
	case KIND_UINT64:
		return order(*(const uint64_t *)x, *(const uint64_t *)y);
	case KIND_FLOAT:
	case KIND_DOUBLE:
	case KIND_BYTES:
	case KIND_ENUM:
	case KIND_MESSAGE:
		break; /* protoc refuses them as keys */
	}
	return 0;
}

/**
 * compare() - Compare two entries for qsort_r(3)
 * @a:		One
 * @b:		Another
 * @data:	Their type
 */
static int compare(const void *a, const void *b, void *data)
{
	const struct map_entry *x = a, *y = b;
	int r = compare_keys(data, x->message, y->message);

	return r ? r : order(x->index, y->index);
}

/* map_sort() - Order entries by key, equal ones by index */
void map_sort(const struct message_type *type, struct map_entry *entries,
	      size_t n)
{
	if (n)
		qsort_r(entries, n, sizeof(*entries), compare, (void *)type);
}

/* map_same_key() - Have two entries the same key? */
bool map_same_key(const struct message_type *type, const struct map_entry *a,
		  const struct map_entry *b)
{
	return !compare_keys(type, a->message, b->message);
}
