/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_AUTH_LAB_H
#define BEWICK_TEST_AUTH_LAB_H

#include "auth/auth_service.h"
#include "auth_test.h"

/* The service with a fetcher that answers when and what the test says, at the time PKI_NOW. */
#define LAB_PATIENCE_MS 60000 /* a busy machine, with sanitizers */

struct auth_lab {
	struct auth_service *s;
	struct auth_options o;
	struct fetch_registry *fetchers;
	struct mailbox *box;
	struct config_store *store;
	struct creds_set *creds; /* the store's */
	struct conn conn;        /* its one round of either side: */
	struct conn_round local, remote;
	struct pki_cert *root, *ca; /* loaded; the CA is not */
	unsigned dropped; /* requests */
};

void auth_lab_init(struct auth_lab *l);
void auth_lab_clear(struct auth_lab *l);
/* The service anew, with what is in o. */
void auth_lab_restart(struct auth_lab *l);
/* Loads it as ours, with its key. */
void auth_lab_own(struct auth_lab *l, const struct pki_cert *c);

/* Both are sent later than they are made: a test changes them. */
struct auth_request *auth_lab_sign(struct auth_lab *l, const char *id);
/* Of a peer with that certificate (and intermediate CA, if not NULL) and identity. */
struct auth_request *auth_lab_verify(struct auth_lab *l, const char *id, const struct pki_cert *cert, const struct pki_cert *ca);
void auth_lab_add_cert(struct auth_request *r, uint8_t encoding, struct bytes data);
void auth_lab_set_auth(struct auth_request *r, EVP_PKEY *key, const char *octets);
void auth_lab_send(struct auth_lab *l, struct auth_request *r);
/* The next answer, whosever. */
struct auth_request *auth_lab_answer(struct auth_lab *l);
/* Sends, and waits for its answer; the caller frees it. */
void auth_lab_do(struct auth_lab *l, struct auth_request *r);
void auth_lab_free(struct auth_request *r);
/* Does it, expects that it is good (why NULL), or not and why, and frees it. */
void auth_lab_expect(struct auth_lab *l, struct auth_request *r, const char *why);

/* The fetcher: fetches that have begun, all in all and of one URL. */
unsigned lab_fetches(void);
/* Waits for one of that URL to be under way. */
void lab_await(const char *url);
bool lab_is_pending(const char *url);
/* Ends the one of that URL. why not NULL: it failed. */
void lab_answer_fetch(const char *url, struct bytes data, const char *why);
/* Whenever that URL is fetched, with what. data is borrowed. */
void lab_serve(const char *url, struct bytes data, const char *why);
struct buf lab_last_post(void);
void lab_serve_keys(struct public_key *key, const char *why);
/* From now on keys are looked up, too. */
void auth_lab_with_dns(struct auth_lab *l);

#endif
