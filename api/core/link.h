/* SPDX-License-Identifier: Apache-2.0
 *
 * link.h - the way to ioasidd: connections that it gives us, calls that we make
 *
 * DOC: Theory of Operation
 *
 * One SEQPACKET socketpair, inherited from ioasidd, carries all (see
 * schema/ioasid/v1/link.proto). ioasidd accepts every connection and gives it a
 * number; what a client asks is asked of ioasidd under that number, and ioasidd
 * knows by itself who that is. So this process can ask nothing for anybody whose
 * connection it has not been given.
 *
 * Requests are passed on as bytes and checked by ioasidd; those of gRPC are not
 * even looked at here. All of it runs on the loop's thread.
 */
#ifndef API_CORE_LINK_H
#define API_CORE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "transcode/tables.h"

/* The longest request or reply message, bytes; as on the native socket. */
#define LINK_MESSAGE_MAX 262144

/* A stream that is not refused by then is begun, whether there are items or not. */
#define LINK_BEGIN_NS 200000000ull

/* Items of a stream that ioasidd sends before it is asked for more. */
#define LINK_CREDIT 16

struct link;
struct link_call;

/**
 * struct link_owner - What the process does with what comes
 * @opened:	Somebody has connected; @fd is taken over. @tcp: speak TLS first
 * @closed:	ioasidd ends a connection: close it, make no call on it. The
 *		calls on it have failed before.
 * @config:	Use this from now on: @fds (borrowed) are sealed memfds called
 *		@files. 0; -EINVAL with @err: not used, the former one stays
 * @lost:	ioasidd has gone; the process is to end
 */
struct link_owner {
	void (*opened)(void *data, uint64_t connection, int fd, bool tcp,
		       const char *peer);
	void (*closed)(void *data, uint64_t connection);
	int (*config)(void *data, char *const *files, const int *fds, size_t n,
		      struct error *err);
	void (*lost)(void *data);
};

/**
 * struct link_events - What becomes of a call
 * @item:	One reply of a stream; link_call_more() when it was passed on
 * @reply:	The reply; of a stream, its end, without payload. The call is over
 * @failed:	Likewise; the call is over
 *
 * Payloads are packed messages of the method's output type, gone after the call.
 * Never called from within link_call().
 */
struct link_events {
	void (*item)(void *data, const uint8_t *payload, size_t size);
	void (*reply)(void *data, const uint8_t *payload, size_t size);
	void (*failed)(void *data, const struct error *error);
};

/**
 * link_new() - Take the link up
 * @fd:		Our end; taken over on success
 * @owner:	What to do; its @closed must not be NULL
 *
 * Return: 0 or -errno.
 */
int link_new(struct loop *loop, int fd, const struct link_owner *owner,
	     void *data, struct link **ret);

/* link_free() - Let go of it; no call may be open. NULL is allowed. */
struct link *link_free(struct link *link);

/**
 * link_call() - Ask something for a connection
 * @connection:	Whose
 * @rpc:	What
 * @payload:	The packed request; copied
 * @size:	At most LINK_MESSAGE_MAX
 * @events:	What becomes of it; exactly one of @reply and @failed is called,
 *		unless it is cancelled
 * @data:	For @events
 * @ret:	Gone when it is over or cancelled
 * @err:	Filled on failure
 *
 * Return: 0; -EMSGSIZE request.too-large; -ENOMEM daemon.no-memory; -EPIPE
 * daemon.unreachable.
 */
int link_call(struct link *link, uint64_t connection,
	      const struct rpc_type *rpc, const uint8_t *payload, size_t size,
	      const struct link_events *events, void *data,
	      struct link_call **ret, struct error *err);

/* link_call_more() - One item of a stream was passed on: one more can come. */
void link_call_more(struct link_call *call);

/* link_call_cancel() - The answer is no longer wanted. No event comes. A change
 * that is at work goes on. NULL is allowed. Return: NULL.
 */
struct link_call *link_call_cancel(struct link_call *call);

/* link_closed() - A client has gone; its calls were cancelled before. */
void link_closed(struct link *link, uint64_t connection, const char *reason);

/**
 * link_certificate() - Say whose certificate a connection has
 * @uris:	Alternative names of type URI
 * @names:	Of type DNS
 * @fingerprint: SHA-256 of the certificate
 *
 * Return: 0 or -errno.
 */
int link_certificate(struct link *link, uint64_t connection,
		     char *const *uris, size_t n_uris, char *const *names,
		     size_t n_names, const uint8_t fingerprint[32]);

#endif
