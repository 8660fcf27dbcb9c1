/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_SIGNER_KEEPER_H
#define BEWICK_CRYPTO_SIGNER_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "crypto/signer_process.h"

/*
 * The parent of the process that signs: it starts another one when that has ended, which nobody can who has threads. It has no keys, and
 * reads nothing from anybody.
 */
struct keeper_news {
	pid_t pid;   /* of the one that was started */
	bool before; /* there was one before, which ended with */
	int status;  /* this, of waitpid */
};

/* The process, after fork: does not return. It ends when the other end of `news` is closed. */
_Noreturn void signer_keeper(int news);
/* Our side: the next news, with the channels. 1; 0: the keeper has ended; -1: there are none (flags as of recv). */
int keeper_receive(int news, int flags, struct keeper_news *ret, int ret_channels[SIGNER_CHANNELS]);

#endif
