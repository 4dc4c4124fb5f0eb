/* SPDX-License-Identifier: Apache-2.0
 *
 * frames.c - what nghttp2 calls: frames to calls, and those that are too many
 *
 * DOC: Theory of Operation
 *
 * Each connection has two buckets. One is for frames that cost their sender
 * next to nothing and ask for nothing: PING, SETTINGS, PRIORITY, CONTINUATION,
 * empty DATA. (Unknown ones nghttp2 passes over by itself.) It is full again
 * whenever we send an answer: gRPC's C core and Go measure the line by PINGs
 * while a stream runs. The other is for streams that are begun in vain: those
 * that the client resets (CVE-2023-44487), and those where it has us reset them
 * by breaking the rules (CVE-2025-8671). Only time fills that one. nghttp2 has
 * limits of its own, which are set too where this version of it has them; these
 * here hold with every version.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "grpc/session.h"

/* Frames of no use: at once, and a second. */
#define NUISANCE_BURST 400
#define NUISANCE_RATE 20

/* Streams in vain. */
#define RESETS_BURST 200
#define RESETS_RATE 20

/* Settings in one frame; answers to SETTINGS and PING that were not taken. */
#define SETTINGS_ENTRIES 16
#define ACKS_MAX 256

/* Frames that may continue one block of headers. */
#define CONTINUATIONS 8

/* In Debian's 1.52, upstream from 1.57 and 1.61 on. */
#pragma weak nghttp2_option_set_stream_reset_rate_limit
#pragma weak nghttp2_option_set_max_continuations

/* call_of() - The call of a stream; NULL if it has none. */
static struct grpc_call *call_of(nghttp2_session *h2, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(h2, stream);
}

/* nuisance() - Is a frame one of those that ask for nothing? */
static bool nuisance(const nghttp2_frame_hd *head)
{
	switch (head->type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_RST_STREAM:
	case NGHTTP2_WINDOW_UPDATE:
	case NGHTTP2_GOAWAY:
		return false;
	case NGHTTP2_DATA:
		return !head->length &&
		       !(head->flags & NGHTTP2_FLAG_END_STREAM);
	default:
		return true;
	}
}

/* begin_frame() - The head of a frame has come */
static int begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *head,
		       void *data)
{
	struct session *session = data;
	uint64_t now_ns = clock_mono_ns();

	if (head->type == NGHTTP2_RST_STREAM &&
	    !bucket_take(&session->resets, RESETS_BURST, RESETS_RATE, now_ns))
		session_calm(session, "it resets streams without end");
	if (nuisance(head) && !bucket_take(&session->nuisance, NUISANCE_BURST,
					   NUISANCE_RATE, now_ns))
		session_calm(session, "it sends frames of no use without end");
	return 0;
}

/* begin_headers() - A block of headers begins: a call, or its trailers */
static int begin_headers(nghttp2_session *h2, const nghttp2_frame *frame,
			 void *data)
{
	struct session *session = data;
	struct grpc_call *call;

	session->headers_ns = clock_mono_ns();
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	call = call_new(session, frame->hd.stream_id);
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	/* Cannot fail: the stream has just been made. */
	(void)nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id,
						   call);
	return 0;
}

/* header() - A header, or a trailer */
static int header(nghttp2_session *h2, const nghttp2_frame *frame,
		  const uint8_t *name, size_t name_size, const uint8_t *value,
		  size_t value_size, uint8_t flags, void *data)
{
	struct grpc_call *call = call_of(h2, frame->hd.stream_id);

	if (call)
		call_header(call, (const char *)name, name_size,
			    (const char *)value, value_size);
	return 0;
}

/* frame_came() - A frame is whole */
static int frame_came(nghttp2_session *h2, const nghttp2_frame *frame,
		      void *data)
{
	struct session *session = data;
	struct grpc_call *call;

	session->headers_ns = 0;
	if (frame->hd.type != NGHTTP2_HEADERS &&
	    frame->hd.type != NGHTTP2_DATA)
		return 0;
	call = call_of(h2, frame->hd.stream_id);
	if (!call || session->why)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS &&
	    frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		call_begin(call);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		call_half_closed(call);
	return 0;
}

/* frame_broke() - A frame is against the rules: nghttp2 resets its stream */
static int frame_broke(nghttp2_session *h2, const nghttp2_frame *frame,
		       int code, void *data)
{
	struct session *session = data;

	session->headers_ns = 0;
	return 0;
}

/* data_came() - Bytes of a request */
static int data_came(nghttp2_session *h2, uint8_t flags, int32_t stream,
		     const uint8_t *bytes, size_t size, void *data)
{
	struct session *session = data;
	struct grpc_call *call = call_of(h2, stream);

	if (call && !session->why)
		call_data(call, bytes, size);
	return 0;
}

/* stream_closed() - A stream is over, in whatever way */
static int stream_closed(nghttp2_session *h2, int32_t stream, uint32_t code,
			 void *data)
{
	struct grpc_call *call = call_of(h2, stream);

	if (call)
		call_gone(call);
	return 0;
}

/**
 * frame_went() - A frame was sent
 *
 * One that ends our side while the client has not ended its own: it need not,
 * and until it does its stream would count.
 */
static int frame_went(nghttp2_session *h2, const nghttp2_frame *frame,
		      void *data)
{
	struct session *session = data;
	uint64_t now_ns = clock_mono_ns();

	if (frame->hd.type == NGHTTP2_RST_STREAM &&
	    frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
	    frame->rst_stream.error_code != NGHTTP2_REFUSED_STREAM &&
	    !bucket_take(&session->resets, RESETS_BURST, RESETS_RATE, now_ns))
		session_calm(session, "it breaks streams without end");
	if (frame->hd.type == NGHTTP2_GOAWAY)
		log_debug("connection %llu: GOAWAY, %s %.*s",
			  (unsigned long long)session->connection,
			  nghttp2_http2_strerror(frame->goaway.error_code),
			  (int)frame->goaway.opaque_data_len,
			  (const char *)frame->goaway.opaque_data);
	if (frame->hd.type != NGHTTP2_HEADERS &&
	    frame->hd.type != NGHTTP2_DATA)
		return 0;
	bucket_fill(&session->nuisance, NUISANCE_BURST, now_ns);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
	    !nghttp2_session_get_stream_remote_close(h2, frame->hd.stream_id))
		return nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE,
						 frame->hd.stream_id,
						 NGHTTP2_NO_ERROR);
	return 0;
}

/* complaint() - What nghttp2 has against a connection; why it will end */
static int complaint(nghttp2_session *h2, int code, const char *words,
		     size_t size, void *data)
{
	const struct session *session = data;

	log_debug("connection %llu: %.*s",
		  (unsigned long long)session->connection, (int)size, words);
	return 0;
}

/* frames_callbacks() - What nghttp2 calls */
int frames_callbacks(nghttp2_session_callbacks **ret)
{
	nghttp2_session_callbacks *all;

	if (nghttp2_session_callbacks_new(&all))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_frame_callback(all,
							      begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(all,
								begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(all, header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(all, frame_came);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
		all, frame_broke);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all,
								  data_came);
	nghttp2_session_callbacks_set_on_stream_close_callback(all,
							       stream_closed);
	nghttp2_session_callbacks_set_on_frame_send_callback(all, frame_went);
	nghttp2_session_callbacks_set_error_callback2(all, complaint);
	*ret = all;
	return 0;
}

/* frames_options() - What nghttp2 itself is to limit */
int frames_options(nghttp2_option **ret)
{
	nghttp2_option *all;

	if (nghttp2_option_new(&all))
		return -ENOMEM;
	nghttp2_option_set_no_closed_streams(all, 1);
	nghttp2_option_set_max_settings(all, SETTINGS_ENTRIES);
	nghttp2_option_set_max_outbound_ack(all, ACKS_MAX);
	if (nghttp2_option_set_stream_reset_rate_limit)
		nghttp2_option_set_stream_reset_rate_limit(all, RESETS_BURST,
							   RESETS_RATE);
	if (nghttp2_option_set_max_continuations)
		nghttp2_option_set_max_continuations(all, CONTINUATIONS);
	*ret = all;
	return 0;
}
