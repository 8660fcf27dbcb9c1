/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_TOKEN_INSIDE_H
#define BEWICK_CRYPTO_TOKEN_INSIDE_H

#include <pthread.h>

#include "crypto/key.h"
#include "crypto/pkcs11.h"
#include "crypto/signer.h"
#include "util/secret.h"

/* What the files token*.c share. */

/* A PKCS#11 module that was loaded: till tokens_close. One thread at a time calls it. */
struct token_module {
	struct token_module *next;
	char *path, *name; /* name: as it was asked for */
	/* Guards the three below it and is held for a moment only; `free` when it is not busy any more. */
	pthread_mutex_t lock;
	pthread_cond_t free;
	bool busy;
	uint64_t busy_since; /* ms */
	struct token_key *dead; /* keys nobody uses any more: who comes next counts them off */
	/* of who is in it */
	const struct p11_functions *f;
	bool ours; /* nobody else in this process had initialised it */
	uint64_t reset_at; /* ms */
	struct token_slot *slots;
};

/* A slot in which a token is or was. Of who is in the module. */
struct token_slot {
	struct token_slot *next;
	struct token_module *module;
	unsigned long id;
	char label[33]; /* of the token, when it was last seen */
	bool open;
	unsigned long session;
	uint64_t generation; /* objects have other handles after a login: counts those and sessions */
	bool logged_in, has_pin;
	bool pin_refused; /* after it had been right: it is not tried again */
	struct secret pin; /* for when the token comes back; wiped with the last key */
	unsigned keys;	   /* in use; without one nothing stays open */
};

struct token_key {
	struct private_key base;
	struct token_slot *slot;
	struct token_key *next_dead;
	struct buf handle;
	bool always_authenticate;
	unsigned long object; /* of this generation */
	uint64_t generation;
};

/* ---- token_module.c ---- */
/* Loads it, if it has to be, and has it for this thread alone, till token_module_leave. NULL: err says why, and if it hangs. */
struct token_module *token_module_enter(const char *name, struct errtext *err);
MUST_CHECK bool token_module_enter_again(struct token_module *m, struct errtext *err);
void token_module_leave(struct token_module *m);
/* Ends it and begins anew, where that may be and was not done just now. */
bool token_module_reset(struct token_module *m);
/* Any thread, and at once. */
void token_key_is_dead(struct token_key *k);

/* ---- token_slot.c ---- */
/* The slot with a session, by its number or by what is on its token. NULL: err says why. */
struct token_slot *token_slot_choose(struct token_module *m, const struct token_ref *t, struct errtext *err);
/* pin NULL: as it is, or by the token's own keys. */
MUST_CHECK bool token_slot_login(struct token_slot *s, const char *pin, struct errtext *err);
/* After the token was away: a session, and logged in as before. */
MUST_CHECK bool token_slot_restore(struct token_slot *s, struct errtext *err);
void token_slot_close(struct token_slot *s); /* the session; the PIN is kept */
void token_slot_forget(struct token_slot *s); /* the PIN, too */
/* Of slots in which no key is in use nothing stays open. */
void token_slots_tidy(struct token_module *m);
/* "PKCS#11 module soft, token 'lab' in slot 3: ..." */
void token_slot_fail(const struct token_slot *s, struct errtext *err, const char *fmt, ...) PRINTF_LIKE(3, 4);
const char *token_why(unsigned long rv, struct text *scratch);

/* ---- token_object.c ---- */
#define TOKEN_ANY_CLASS (~0ul)
/* How many objects have that CKA_ID (two: two or more); *ret is the first. rv of the failure, or P11_OK. */
unsigned long token_find(struct token_slot *s, unsigned long class, struct bytes handle, unsigned long *ret, unsigned *ret_n);
/* Added to ret; false: it has none. */
bool token_attribute(struct token_slot *s, unsigned long object, unsigned long type, struct buf *ret);
bool token_number(struct token_slot *s, unsigned long object, unsigned long type, unsigned long *ret);
/* The public key of a private one, by it, its public key or its certificate; the same checks as of all others. */
struct public_key *token_public(struct token_slot *s, unsigned long object, struct bytes handle, struct errtext *err);

/* ---- token_sign.c ---- */
/* Whether the token makes signatures with that kind of key at all. */
MUST_CHECK bool token_can_sign(struct token_slot *s, const struct public_key *k, struct errtext *err);
bool token_key_sign(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
		    struct buf *ret, struct errtext *err);
/* In token.c: the object, where the token may have been away. */
MUST_CHECK bool token_key_find(struct token_key *k, struct errtext *err);

#endif
