/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_VICI_CLIENT_PRIVATE_H
#define BEWICK_VICI_CLIENT_PRIVATE_H

#include "vici/message.h"

struct bewick_vici_message {
	struct vici_writer w;
};

/* A connected non-blocking socket, or a negative errno. */
int client_socket(const char *uri, int timeout_ms);

#endif
