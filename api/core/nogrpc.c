/* SPDX-License-Identifier: Apache-2.0
 *
 * nogrpc.c - for builds without api/grpc: whoever speaks HTTP/2 is closed
 *
 * Weak: what api/grpc defines takes their place.
 */
#include <errno.h>
#include <stddef.h>

#include "grpc/grpc.h"

#define WEAK __attribute__((weak))

/* grpc_new() - Nothing to be had */
WEAK int grpc_new(struct loop *loop, struct link *link,
		  const struct limits *limits,
		  void (*closed)(void *data, uint64_t connection), void *data,
		  struct grpc **ret, struct error *err)
{
	*ret = NULL;
	return 0;
}

/* grpc_free() - Nothing to let go of */
WEAK struct grpc *grpc_free(struct grpc *grpc)
{
	return NULL;
}

/* grpc_add_consume() - Close it */
WEAK int grpc_add_consume(struct grpc *grpc, uint64_t connection,
			  struct stream *stream)
{
	stream->ops->close(stream);
	return -EPROTONOSUPPORT;
}

/* grpc_close() - There is none */
WEAK void grpc_close(struct grpc *grpc, uint64_t connection)
{
}
