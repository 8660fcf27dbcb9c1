/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_SIGNER_H
#define BEWICK_CRYPTO_SIGNER_H

#include <sys/types.h>

#include "crypto/key.h"

/*
 * Private keys that are not in this process's memory: a process that signs over a socketpair and does nothing else, and tokens
 * (PKCS#11).
 */
struct signer;

/* Forks; to be called before there are threads. The child has no other descriptor, no privileges and no way to the network.
 * NULL: err says why. */
EXPORT struct signer *signer_start(struct errtext *err);
/* Ends the process and waits for it. Keys made by it sign no more. NULL is fine. */
EXPORT void signer_stop(struct signer *s);
/* Like private_key_parse, but the key is sent there, and what was here of it is wiped (data is the caller's). The key is not `quick`.
 * s NULL: the key stays in this process. */
EXPORT struct private_key *signer_key_parse(struct signer *s, struct bytes data, enum key_type expected, struct errtext *err);

EXPORT pid_t signer_pid(struct signer *s); /* 0: it has ended */
EXPORT const char *signer_lacks(const struct signer *s); /* what its confinement lacks here; "": nothing */
/* When it has ended another one is begun, which has no keys: those made before sign no more, and say that they must be loaded again. The
 * descriptor becomes readable then; signer_look takes notice, and logs. False: it is not to be watched any more. */
EXPORT int signer_fd(struct signer *s);
EXPORT bool signer_look(struct signer *s);

struct token_module_conf {
	const char *name, *path;
};
/* The PKCS#11 modules of the settings, copied; they are loaded when they are first used. A module that has not answered for patience_ms
 * (0: the default) keeps nobody else waiting. Any thread. */
EXPORT void token_modules_set(const struct token_module_conf *modules, size_t n, unsigned patience_ms);

struct token_ref {
	struct bytes handle; /* CKA_ID */
	int64_t slot;        /* -1: any */
	const char *module;  /* of the settings, or a path; NULL: the only one */
	const char *pin;     /* NULL: none */
};
/* RSA, ECDSA and EdDSA keys; the public key, or a certificate with it, has to be on the token, too. Blocks, as their signing does: for helper
 * threads. When the token was away the key signs again as soon as it is back. */
EXPORT struct private_key *private_key_from_token(const struct token_ref *t, struct errtext *err);
/* A certificate, in DER, added to ret; one that needs the PIN is there while a key of the token is loaded. Blocks. */
EXPORT MUST_CHECK bool token_cert(const struct token_ref *t, struct buf *ret, struct errtext *err);
/* Ends sessions, and forgets PINs, that no key needs any more; else the next use of the module does. Blocks. */
EXPORT void tokens_tidy(void);
/* Ends all sessions with tokens, of modules that are not busy. After all keys are gone. */
EXPORT void tokens_close(void);

#endif
