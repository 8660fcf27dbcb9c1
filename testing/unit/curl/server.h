/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_CURL_SERVER_H
#define BEWICK_TEST_CURL_SERVER_H

#include <stdint.h>

/* A small HTTP server on the loopback address, which misbehaves by path:
 * /ok, /post (gives back what it got), /missing (404), /empty-reply, /huge (without end), /claims-huge (by its header),
 * /truncated, /hang, /to-ok, /to-file, /loop, /nothing (204), /garbage. */
struct server;
struct server *server_start(void);
void server_stop(struct server *s);
uint16_t server_port(const struct server *s);
unsigned server_requests(const struct server *s);

#endif
