/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_TCP_FRAME_H
#define BEWICK_NET_TCP_FRAME_H

#include "util/bytes.h"

/*
 * IKE and ESP in a stream of bytes (RFC 9329, 3 and 4): the prefix "IKETCP" once, from who connects, then messages, each behind a
 * length of 16 bits that counts itself. Pure functions.
 */
#define TCP_PREFIX "IKETCP"
#define TCP_PREFIX_LEN 6
#define TCP_LENGTH_LEN 2
#define TCP_MESSAGE_MAX (65535 - TCP_LENGTH_LEN) /* RFC 9329, 3 */

enum tcp_frame {
	TCP_FRAME_MORE,   /* incomplete: more bytes have to come */
	TCP_FRAME_WHOLE,
	TCP_FRAME_BROKEN, /* never can be one: the connection is to be closed */
};

/* Takes the prefix off the front of *in. BROKEN with the first byte that is wrong. */
EXPORT enum tcp_frame tcp_frame_prefix(struct bytes *in);
/* Takes one message of at most `max` bytes off the front of *in, passing over empty ones. MORE: *in is what has to be kept. */
EXPORT enum tcp_frame tcp_frame_next(struct bytes *in, size_t max, struct bytes *ret_message);

enum tcp_kind { TCP_KIND_IKE, TCP_KIND_ESP, TCP_KIND_KEEPALIVE, TCP_KIND_RUNT };
/* What a message is; of IKE *message is left without the non-ESP marker. */
EXPORT enum tcp_kind tcp_frame_kind(struct bytes *message);

#endif
