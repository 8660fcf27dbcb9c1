/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/token_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/mem.h"

/* Slots of a PKCS#11 module, the sessions with the tokens in them, and logging in. */

#define SLOTS_MAX 256

const char *token_why(unsigned long rv, struct text *scratch)
{
	static const struct {
		unsigned long rv;
		const char *why;
	} texts[] = {
		{ P11_HOST_MEMORY, "no memory" },
		{ P11_SLOT_ID_INVALID, "there is no such slot" },
		{ P11_GENERAL_ERROR, "a general error" },
		{ P11_FUNCTION_FAILED, "the function failed" },
		{ P11_DEVICE_ERROR, "an error of the device" },
		{ P11_DEVICE_MEMORY, "the device's memory is full" },
		{ P11_DEVICE_REMOVED, "the token was removed" },
		{ P11_FUNCTION_CANCELED, "it was cancelled" },
		{ P11_FUNCTION_NOT_SUPPORTED, "the module does not support that" },
		{ P11_KEY_HANDLE_INVALID, "the key is not there any more" },
		{ P11_KEY_SIZE_RANGE, "the token does not take keys of that size" },
		{ P11_KEY_TYPE_INCONSISTENT, "the key is not of that kind" },
		{ P11_KEY_FUNCTION_NOT_PERMITTED, "the key is not allowed to sign" },
		{ P11_MECHANISM_INVALID, "the token does not make that kind of signature" },
		{ P11_MECHANISM_PARAM_INVALID, "the token does not take the parameters of that signature" },
		{ P11_OBJECT_HANDLE_INVALID, "the object is not there any more" },
		{ P11_PIN_INCORRECT, "PIN incorrect" },
		{ P11_PIN_INVALID, "that cannot be a PIN" },
		{ P11_PIN_LEN_RANGE, "the PIN is too short or too long" },
		{ P11_PIN_EXPIRED, "the PIN has expired" },
		{ P11_PIN_LOCKED, "the PIN is locked" },
		{ P11_SESSION_CLOSED, "the session was closed" },
		{ P11_SESSION_COUNT, "the token has no session left" },
		{ P11_SESSION_HANDLE_INVALID, "the session is not there any more" },
		{ P11_TOKEN_NOT_PRESENT, "there is no token in it" },
		{ P11_TOKEN_NOT_RECOGNIZED, "the token is not one of this module" },
		{ P11_USER_NOT_LOGGED_IN, "that needs the PIN" },
		{ P11_USER_PIN_NOT_INITIALIZED, "the token has no PIN yet" },
		{ P11_NOT_INITIALIZED, "the module is not initialised" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].rv == rv)
			return texts[i].why;
	}
	snprintf(scratch->s, sizeof(scratch->s), "PKCS#11 error 0x%lx", rv);
	return scratch->s;
}

void token_slot_fail(const struct token_slot *s, struct errtext *err, const char *fmt, ...)
{
	char why[sizeof(err->s)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (s->label[0])
		errtext_set(err, "PKCS#11 module %s, token '%s' in slot %lu: %s", s->module->name, s->label, s->id, why);
	else
		errtext_set(err, "PKCS#11 module %s, slot %lu: %s", s->module->name, s->id, why);
}

/* ---- sessions ---- */

void token_slot_close(struct token_slot *s)
{
	if (s->open)
		(void)s->module->f->close_session(s->session);
	s->open = s->logged_in = false;
	s->generation++;
}

void token_slot_forget(struct token_slot *s)
{
	if (s->logged_in)
		(void)s->module->f->logout(s->session);
	token_slot_close(s);
	secret_clear(&s->pin);
	s->has_pin = s->pin_refused = false;
}

void token_slots_tidy(struct token_module *m)
{
	for (struct token_slot *s = m->slots; s; s = s->next) {
		if (s->keys == 0 && (s->open || s->has_pin))
			token_slot_forget(s);
	}
}

static struct token_slot *slot_get(struct token_module *m, unsigned long id)
{
	struct token_slot *s = m->slots;

	while (s && s->id != id)
		s = s->next;
	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->module = m;
	s->id = id;
	s->next = m->slots;
	m->slots = s;
	return s;
}

/* The label without the spaces behind it, and only what can be shown. */
static void slot_label(struct token_slot *s, const unsigned char label[32])
{
	size_t n = 32;

	while (n && label[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < n; i++)
		s->label[i] = label[i] < ' ' || label[i] >= 0x7f || label[i] == '\'' ? '?' : (char)label[i];
	s->label[n] = '\0';
}

/* What the token says of itself; a failure is none that is ready. */
static unsigned long slot_look(struct token_slot *s, unsigned long *ret_flags)
{
	struct p11_token_info info = { .flags = 0 };
	unsigned long rv = s->module->f->get_token_info(s->id, &info);

	if (rv == P11_OK && !(info.flags & P11_TOKEN_INITIALIZED))
		rv = P11_TOKEN_NOT_RECOGNIZED;
	if (rv != P11_OK)
		return rv;
	slot_label(s, info.label);
	*ret_flags = info.flags;
	return P11_OK;
}

static unsigned long slot_begin(struct token_slot *s)
{
	const struct p11_functions *f = s->module->f;
	unsigned long flags, n = 0, rv;

	(void)f->get_slot_list(1, NULL, &n); /* some look for tokens that came or went only then */
	rv = slot_look(s, &flags);
	if (rv == P11_OK)
		rv = f->open_session(s->id, P11_SERIAL_SESSION, NULL, NULL, &s->session);
	return rv;
}

/* What those say that look for tokens only when they begin. */
static bool result_is_stale(unsigned long rv)
{
	return rv == P11_GENERAL_ERROR || rv == P11_DEVICE_ERROR || rv == P11_FUNCTION_FAILED || rv == P11_SLOT_ID_INVALID;
}

static bool slot_open(struct token_slot *s, struct errtext *err)
{
	struct p11_session_info info;
	struct text scratch;
	unsigned long rv;

	if (s->open && s->module->f->get_session_info(s->session, &info) == P11_OK)
		return true;
	token_slot_close(s);
	rv = slot_begin(s);
	if (result_is_stale(rv) && token_module_reset(s->module))
		rv = slot_begin(s);
	if (rv != P11_OK) {
		token_slot_fail(s, err, "no session with the token: %s", token_why(rv, &scratch));
		return false;
	}
	s->open = true;
	s->logged_in = false;
	s->generation++;
	return true;
}

/* ---- which one ---- */

/* Several tokens: the one that shows an object of that handle. PINs are not tried on tokens that may be others'. */
static struct token_slot *slot_with(struct token_module *m, const unsigned long *ids, size_t n, struct bytes handle, struct errtext *err)
{
	struct token_slot *found = NULL;
	struct buf names = { NULL, 0, 0 }, hex = { NULL, 0, 0 };
	unsigned hits = 0;

	buf_add_hex(&hex, handle);
	for (size_t i = 0; i < n; i++) {
		struct token_slot *s = slot_get(m, ids[i]);
		unsigned long object;
		unsigned here = 0;

		buf_printf(&names, "%s%lu '%s'", i ? ", " : "", s->id, s->label);
		if (!slot_open(s, err) || token_find(s, TOKEN_ANY_CLASS, handle, &object, &here) != P11_OK || !here)
			continue;
		hits++;
		found = s;
	}
	if (hits != 1)
		errtext_set(err, "PKCS#11 module %s: %s of its %zu tokens show%s an object with the handle %s: 'slot' says which one is meant (%s)",
			    m->name, hits ? "several" : "none", n, hits ? "" : "s", buf_str(&hex), buf_str(&names));
	buf_free(&names);
	buf_free(&hex);
	return hits == 1 ? found : NULL;
}

/* The slots that have tokens which are ready. */
static unsigned long slots_list(struct token_module *m, unsigned long ids[SLOTS_MAX], size_t *ret_n)
{
	unsigned long n = SLOTS_MAX, flags, rv = m->f->get_slot_list(1, NULL, &n);

	n = SLOTS_MAX;
	if (rv == P11_OK)
		rv = m->f->get_slot_list(1, ids, &n);
	*ret_n = 0;
	for (size_t i = 0; rv == P11_OK && i < n && i < SLOTS_MAX; i++) {
		if (slot_look(slot_get(m, ids[i]), &flags) == P11_OK)
			ids[(*ret_n)++] = ids[i];
	}
	return rv;
}

struct token_slot *token_slot_choose(struct token_module *m, const struct token_ref *t, struct errtext *err)
{
	unsigned long ids[SLOTS_MAX], rv;
	struct token_slot *s;
	struct text scratch;
	size_t n;

	if (t->slot >= 0) {
		s = slot_get(m, (unsigned long)t->slot);
		return slot_open(s, err) ? s : NULL;
	}
	rv = slots_list(m, ids, &n);
	if (rv == P11_OK && !n && token_module_reset(m))
		rv = slots_list(m, ids, &n);
	if (rv != P11_OK) {
		errtext_set(err, "PKCS#11 module %s does not tell its slots: %s", m->name, token_why(rv, &scratch));
		return NULL;
	}
	if (n > 1)
		return slot_with(m, ids, n, t->handle, err);
	if (!n) {
		errtext_set(err, "PKCS#11 module %s has no token", m->name);
		return NULL;
	}
	s = slot_get(m, ids[0]);
	return slot_open(s, err) ? s : NULL;
}

/* ---- PINs ---- */

/* Behind a refused PIN. */
static const char *slot_tries(struct token_slot *s)
{
	unsigned long flags = 0;

	if (slot_look(s, &flags) != P11_OK)
		return "";
	if (flags & P11_USER_PIN_LOCKED)
		return "; it is locked now";
	if (flags & P11_USER_PIN_FINAL_TRY)
		return "; one more wrong one locks the token";
	return flags & P11_USER_PIN_COUNT_LOW ? "; some more wrong ones lock the token" : "";
}

static unsigned long slot_try(struct token_slot *s, struct bytes pin)
{
	unsigned long rv = s->module->f->login(s->session, P11_USER, pin.p, pin.n);

	if (rv == P11_USER_ALREADY_LOGGED_IN)
		rv = P11_OK;
	s->logged_in = rv == P11_OK;
	s->generation++;
	return rv;
}

/* A PIN that is another one than that in force is tried, so that a wrong one is never taken for right. */
static bool slot_new_pin(struct token_slot *s, struct bytes pin, struct errtext *err)
{
	struct text scratch;
	unsigned long rv;

	if (s->logged_in && s->has_pin && secret_equal(secret_bytes(&s->pin), pin))
		return true;
	if (s->logged_in)
		(void)s->module->f->logout(s->session);
	rv = slot_try(s, pin);
	if (rv == P11_OK) {
		secret_set(&s->pin, pin);
		s->has_pin = true;
		s->pin_refused = false;
		return true;
	}
	token_slot_fail(s, err, "logging in: %s%s", token_why(rv, &scratch), slot_tries(s));
	if (s->has_pin && !s->pin_refused) /* for the keys that are in use */
		(void)slot_try(s, secret_bytes(&s->pin));
	return false;
}

bool token_slot_login(struct token_slot *s, const char *pin, struct errtext *err)
{
	unsigned long flags = 0, rv;
	struct text scratch;

	if (pin)
		return slot_new_pin(s, bytes_str(pin), err);
	if (s->has_pin)
		return token_slot_restore(s, err);
	rv = s->logged_in ? P11_OK : slot_look(s, &flags);
	if (rv == P11_OK && flags & P11_LOGIN_REQUIRED && flags & P11_PROTECTED_AUTHENTICATION_PATH)
		rv = slot_try(s, BYTES_NONE);
	if (rv == P11_OK)
		return true;
	token_slot_fail(s, err, "logging in by the token's own keys: %s", token_why(rv, &scratch));
	return false;
}

bool token_slot_restore(struct token_slot *s, struct errtext *err)
{
	struct text scratch;
	unsigned long rv;

	if (!slot_open(s, err))
		return false;
	if (s->logged_in || !s->has_pin)
		return true;
	if (s->pin_refused) {
		token_slot_fail(s, err, "the token has refused the PIN since the key was loaded: it must be loaded again, with the right one");
		return false;
	}
	rv = slot_try(s, secret_bytes(&s->pin));
	if (rv == P11_OK)
		return true;
	s->pin_refused = rv >= P11_PIN_INCORRECT && rv <= P11_PIN_LOCKED;
	token_slot_fail(s, err, "logging in again: %s%s", token_why(rv, &scratch), slot_tries(s));
	return false;
}
