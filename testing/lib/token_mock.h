/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_LIB_TOKEN_MOCK_H
#define BEWICK_TESTING_LIB_TOKEN_MOCK_H

#include <stdatomic.h>

/*
 * A PKCS#11 module with one token, 'mock' in slot 7: a P-256 key of handle 01 and a certificate of the same handle, that of the file in $TOKEN_MOCK_CERT.
 * It does what tests say in `token_mock`, which they find by dlsym. While the file $TOKEN_MOCK_HANG exists, no function comes back.
 */
struct token_mock {
	atomic_bool hang, gone, broken; /* broken: each session is lost when it is used */
	atomic_bool no_mechanism, garbage, always_authenticate;
	atomic_int other_key;	     /* 1: the key is another one */
	char pin[16];		     /* of the token; "" : it asks for none */
	atomic_int logins, tries;    /* that were made; wrong PINs */
	atomic_int sessions, waiting; /* open; functions that hang */
	atomic_int finalized;
};

#endif
