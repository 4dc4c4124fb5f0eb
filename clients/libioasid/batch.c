/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.c - many mappings by one call: one ioctl each, up to the first failure
 */
#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "libioasid/explain.h"
#include "libioasid/fail.h"
#include "libioasid/ioasid.h"

/**
 * struct batch - What all pieces have in common
 * @iommufd:	The context
 * @ioas:	Id of the space
 * @source:	What is mapped
 * @from:	As of struct wish
 */
struct batch {
	int iommufd;
	uint32_t ioas;
	enum source source;
	uint32_t from;
};

/* map_piece() - Map one. Return: as ioasid_map(). */
static int map_piece(const struct batch *batch, struct ioasid_piece *piece,
		     struct ioasid_error *err)
{
	switch (batch->source) {
	case SOURCE_MEMORY:
		return ioasid_map(batch->iommufd, batch->ioas,
				  (void *)(uintptr_t)piece->at, piece->length,
				  piece->flags, &piece->iova, err);
	case SOURCE_FILE:
		return ioasid_map_file(batch->iommufd, batch->ioas,
				       (int)batch->from, piece->at,
				       piece->length, piece->flags,
				       &piece->iova, err);
	case SOURCE_SPACE:
		return ioasid_copy(batch->iommufd, batch->ioas, batch->from,
				   piece->at, piece->length, piece->flags,
				   &piece->iova, err);
	}

	return -EINVAL;
}

/* undo() - End those that were mapped, last first. Return: how many stay. */
static size_t undo(const struct batch *batch, const struct ioasid_piece *pieces,
		   size_t n)
{
	size_t stay = 0;

	while (n--)
		stay += ioasid_unmap(batch->iommufd, batch->ioas,
				     pieces[n].iova, pieces[n].length, NULL,
				     NULL) < 0;

	return stay;
}

/**
 * say_piece() - Put in front of the words which piece it was
 * @stay:	How many could not be undone
 */
static void say_piece(struct ioasid_error *err, size_t piece, size_t n,
		      size_t stay)
{
	char words[sizeof(err->message)];

	if (!err)
		return;

	(void)str_copy(words, sizeof(words), err->message);
	if (stay)
		(void)str_format(err->message, sizeof(err->message),
				 "piece %zu of %zu (and %zu before it are "
				 "mapped still): %s", piece, n, stay, words);
	else
		(void)str_format(err->message, sizeof(err->message),
				 "piece %zu of %zu: %s", piece, n, words);
}

/**
 * map_all() - Map pieces up to the first failure
 *
 * Parameters as of ioasid_map_batch().
 */
static int map_all(const struct batch *batch, struct ioasid_piece *pieces,
		   size_t n, unsigned int options, size_t *done,
		   struct ioasid_error *err)
{
	size_t i, stay = 0;
	int r = 0;

	if (done)
		*done = 0;
	if (options & ~IOASID_BATCH_UNDO)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"an option that this library does not know");

	for (i = 0; i < n; i++) {
		r = pieces[i].reserved ?
			    fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				     "its reserved field is not 0") :
			    map_piece(batch, &pieces[i], err);
		if (r < 0)
			break;
	}
	if (done)
		*done = i;
	if (r < 0) {
		if (options & IOASID_BATCH_UNDO)
			stay = undo(batch, pieces, i);
		say_piece(err, i, n, stay);
	}

	return r;
}

/* ioasid_map_batch() - See ioasid.h. */
int ioasid_map_batch(int iommufd, uint32_t ioas, struct ioasid_piece *pieces,
		     size_t n, unsigned int options, size_t *done,
		     struct ioasid_error *err)
{
	const struct batch batch = { iommufd, ioas, SOURCE_MEMORY, 0 };

	return map_all(&batch, pieces, n, options, done, err);
}

/* ioasid_map_file_batch() - See ioasid.h. */
int ioasid_map_file_batch(int iommufd, uint32_t ioas, int file,
			  struct ioasid_piece *pieces, size_t n,
			  unsigned int options, size_t *done,
			  struct ioasid_error *err)
{
	const struct batch batch = { iommufd, ioas, SOURCE_FILE,
				     (uint32_t)file };

	return map_all(&batch, pieces, n, options, done, err);
}

/* ioasid_copy_batch() - See ioasid.h. */
int ioasid_copy_batch(int iommufd, uint32_t ioas, uint32_t from_ioas,
		      struct ioasid_piece *pieces, size_t n,
		      unsigned int options, size_t *done,
		      struct ioasid_error *err)
{
	const struct batch batch = { iommufd, ioas, SOURCE_SPACE, from_ioas };

	return map_all(&batch, pieces, n, options, done, err);
}

/* ioasid_unmap_batch() - See ioasid.h. */
int ioasid_unmap_batch(int iommufd, uint32_t ioas,
		       const struct ioasid_piece *pieces, size_t n,
		       size_t *done, uint64_t *ret_bytes,
		       struct ioasid_error *err)
{
	uint64_t bytes = 0, one;
	size_t i;
	int r = 0;

	for (i = 0; i < n; i++) {
		r = ioasid_unmap(iommufd, ioas, pieces[i].iova,
				 pieces[i].length, &one, err);
		if (r < 0)
			break;
		bytes += one;
	}
	if (done)
		*done = i;
	if (r < 0) {
		say_piece(err, i, n, 0);
		return r;
	}

	if (ret_bytes)
		*ret_bytes = bytes;
	return 0;
}
