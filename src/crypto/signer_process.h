/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_SIGNER_PROCESS_H
#define BEWICK_CRYPTO_SIGNER_PROCESS_H

#include "util/bytes.h"

/*
 * Between us and the process that signs: channels of SOCK_SEQPACKET, one request at a time on each, as many requests at once as there
 * are channels. A request is an operation and what it needs; its answer an octet that says whether it was done, then what it
 * made or why not.
 */
#define SIGNER_CHANNELS 4
#define SIGNER_REQUEST 70000u /* bytes: an IKE message, a nonce and more */
#define SIGNER_ANSWER 8192u

enum signer_op {
	SIGNER_ADD = 1, /* enum key_type, data: u64 number of the key, SubjectPublicKeyInfo */
	SIGNER_SIGN,    /* u64 number, kind, hash, salt, data: signature */
	SIGNER_DROP,    /* u64 number: has no answer */
};

/* The process, after fork: does not return. Its first message, on the first channel, is an answer: whether it is ready, and
 * what its confinement lacks. */
_Noreturn void signer_process(const int channels[SIGNER_CHANNELS]);
/* System calls that computing with keys needs, and no others, from now on for all threads. False: errno tells. *ret_lacks: what is not
 * possible here, as the end of a sentence, or "". */
bool signer_confine(const char **ret_lacks);

#endif
