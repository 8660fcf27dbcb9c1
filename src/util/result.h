/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_RESULT_H
#define BEWICK_UTIL_RESULT_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Marks the symbols that plugins, the daemon's main and the tests may use;
 * everything else in libbewick is hidden. */
#define EXPORT __attribute__((visibility("default")))

enum result_code {
	RESULT_OK = 0,
	RESULT_INVALID,     /* malformed input */
	RESULT_UNSUPPORTED, /* well-formed, but not something we have */
	RESULT_NOT_FOUND,
	RESULT_EXISTS,
	RESULT_LIMIT,  /* a bound of proto/limits.h or of the settings was hit */
	RESULT_AUTH,   /* an integrity check or authentication failed */
	RESULT_STATE,  /* not possible in the present state */
	RESULT_SYSTEM, /* a system call failed, errno tells */
	RESULT_CRYPTO, /* the crypto library refused */
};

/*
 * What a function that can fail returns: a code and a constant sentence that
 * says which field or step and why. It is carried up to the one place that
 * logs it. `why` is NULL only with RESULT_OK.
 */
struct result {
	enum result_code code;
	const char *why;
};

static inline struct result result_ok(void)
{
	return (struct result){ RESULT_OK, 0 };
}

static inline struct result result_fail(enum result_code code, const char *why)
{
	return (struct result){ code, why };
}

static inline bool result_is_ok(struct result r)
{
	return r.code == RESULT_OK;
}

/* Returns the failure of EXPR from the calling function. */
#define TRY(EXPR)                                                                                  \
	do {                                                                                       \
		struct result try_result_ = (EXPR);                                                \
		if (try_result_.code != RESULT_OK)                                                 \
			return try_result_;                                                        \
	} while (0)

/*
 * Text of an error whose wording depends on data (configuration, start-up).
 * Functions that take a `struct errtext *` fill it on failure only.
 */
struct errtext {
	char s[512];
};

EXPORT void errtext_set(struct errtext *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
