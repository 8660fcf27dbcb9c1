/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_PROPOSAL_KEYWORDS_H
#define BEWICK_PROTO_PROPOSAL_KEYWORDS_H

#include "proto/proposal.h"

/*
 * The tokens of "aes128-sha256-x25519", in lower case only:
 *
 *   encryption   null des 3des aes[128|192|256][ctr] camellia[128|192|256][ctr]
 *                blowfish[128|192|256] cast128
 *   AEAD         aesNgcm[8|12|16|64|96|128] aesNccm... camelliaNccm... aesNgmac
 *                chacha20poly1305 chacha20poly1305compat (sends the key length)
 *   integrity    md5 md5_128 sha sha1 sha1_160 sha256 sha384 sha512 aesxcbc aescmac
 *   PRF          prfmd5 prfsha1 prfsha256 prfsha384 prfsha512 prfaesxcbc prfaescmac
 *   key exchange modpN ecpN ecpNbp x25519 x448 mlkemN none; ke1_X to ke7_X for additional ones
 *   ESN          esn noesn
 *
 * What a proposal needs, and what is taken out of it without an error:
 *
 *   IKE  encryption, key exchange, PRF; without PRF tokens the integrity tokens name the
 *        PRFs; classic ciphers need integrity; `none` is removed; no null, gmac, esn, noesn
 *   ESP  encryption; classic ciphers need integrity; PRFs are removed; noesn unless
 *        there is an ESN token
 *   AH   integrity, to which gmac counts; encryption and PRFs are removed; ESN as for ESP
 *   all  AEAD and classic ciphers do not mix; integrity beside AEAD is removed
 *
 * Some of swanctl's tokens name algorithms without a number of IANA's. They are known here
 * only to be refused with that reason.
 */
struct proposal_keyword {
	const char *token;
	uint8_t type; /* enum transform_type */
	uint16_t id;
	uint16_t key_bits;
	const char *refused; /* why it cannot be used, else NULL */
};

/* NULL for an unknown token. keN_ tokens are not looked up here. */
const struct proposal_keyword *proposal_keyword_find(struct bytes token);

#endif
