/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_PKCS11_H
#define BEWICK_CRYPTO_PKCS11_H

/*
 * The part of PKCS#11 (OASIS, version 2.40; EdDSA is of 3.0) that we use: its numbers, and its structures as they are in memory. Functions that we
 * do not call are places in the list only.
 */
#define P11_UNAVAILABLE (~(unsigned long)0) /* of a length: there is no such attribute */

enum p11_result {
	P11_OK = 0,
	P11_HOST_MEMORY = 2,
	P11_SLOT_ID_INVALID = 3,
	P11_GENERAL_ERROR = 5,
	P11_FUNCTION_FAILED = 6,
	P11_DEVICE_ERROR = 0x30,
	P11_DEVICE_MEMORY = 0x31,
	P11_DEVICE_REMOVED = 0x32,
	P11_FUNCTION_CANCELED = 0x50,
	P11_FUNCTION_NOT_SUPPORTED = 0x54,
	P11_KEY_HANDLE_INVALID = 0x60,
	P11_KEY_SIZE_RANGE = 0x62,
	P11_KEY_TYPE_INCONSISTENT = 0x63,
	P11_KEY_FUNCTION_NOT_PERMITTED = 0x68,
	P11_MECHANISM_INVALID = 0x70,
	P11_MECHANISM_PARAM_INVALID = 0x71,
	P11_OBJECT_HANDLE_INVALID = 0x82,
	P11_OPERATION_ACTIVE = 0x90,
	P11_PIN_INCORRECT = 0xa0,
	P11_PIN_INVALID = 0xa1,
	P11_PIN_LEN_RANGE = 0xa2,
	P11_PIN_EXPIRED = 0xa3,
	P11_PIN_LOCKED = 0xa4,
	P11_SESSION_CLOSED = 0xb0,
	P11_SESSION_COUNT = 0xb1,
	P11_SESSION_HANDLE_INVALID = 0xb3,
	P11_TOKEN_NOT_PRESENT = 0xe0,
	P11_TOKEN_NOT_RECOGNIZED = 0xe1,
	P11_USER_ALREADY_LOGGED_IN = 0x100,
	P11_USER_NOT_LOGGED_IN = 0x101,
	P11_USER_PIN_NOT_INITIALIZED = 0x102,
	P11_BUFFER_TOO_SMALL = 0x150,
	P11_NOT_INITIALIZED = 0x190,
	P11_ALREADY_INITIALIZED = 0x191,
};

/* C_Initialize */
#define P11_OS_LOCKING_OK 0x2ul
/* C_OpenSession */
#define P11_SERIAL_SESSION 0x4ul
/* of a token */
#define P11_LOGIN_REQUIRED 0x4ul
#define P11_PROTECTED_AUTHENTICATION_PATH 0x100ul
#define P11_TOKEN_INITIALIZED 0x400ul
#define P11_USER_PIN_COUNT_LOW 0x10000ul
#define P11_USER_PIN_FINAL_TRY 0x20000ul
#define P11_USER_PIN_LOCKED 0x40000ul
/* of a mechanism */
#define P11_SIGN 0x800ul

enum p11_user { P11_USER = 1, P11_CONTEXT_SPECIFIC = 2 };
enum p11_class { P11_CERTIFICATE = 1, P11_PUBLIC_KEY = 2, P11_PRIVATE_KEY = 3 };
enum p11_key_type { P11_RSA = 0, P11_EC = 3, P11_EC_EDWARDS = 0x40 };
enum p11_certificate_type { P11_X_509 = 0 };
enum p11_attribute_type {
	P11_A_CLASS = 0,
	P11_A_VALUE = 0x11,
	P11_A_CERTIFICATE_TYPE = 0x80,
	P11_A_KEY_TYPE = 0x100,
	P11_A_ID = 0x102,
	P11_A_MODULUS = 0x120,
	P11_A_PUBLIC_EXPONENT = 0x122,
	P11_A_EC_PARAMS = 0x180,
	P11_A_EC_POINT = 0x181,
	P11_A_ALWAYS_AUTHENTICATE = 0x202,
};
enum p11_mechanism_type {
	P11_M_RSA_PKCS = 1,
	P11_M_RSA_PKCS_PSS = 0xd,
	P11_M_SHA256 = 0x250,
	P11_M_SHA384 = 0x260,
	P11_M_SHA512 = 0x270,
	P11_M_ECDSA = 0x1041,
	P11_M_EDDSA = 0x1057,
};
enum p11_mgf { P11_MGF1_SHA256 = 2, P11_MGF1_SHA384 = 3, P11_MGF1_SHA512 = 4 };

struct p11_version {
	unsigned char major, minor;
};

struct p11_initialize {
	void *create_mutex, *destroy_mutex, *lock_mutex, *unlock_mutex;
	unsigned long flags;
	void *reserved;
};

struct p11_token_info {
	unsigned char label[32], manufacturer[32], model[16], serial[16]; /* padded with spaces */
	unsigned long flags;
	unsigned long sessions[4], pin_len[2], memory[4];
	struct p11_version hardware, firmware;
	unsigned char utc_time[16];
};

struct p11_session_info {
	unsigned long slot, state, flags, device_error;
};

struct p11_mechanism_info {
	unsigned long key_size[2];
	unsigned long flags;
};

struct p11_attribute {
	unsigned long type;
	void *value;
	unsigned long len;
};

struct p11_mechanism {
	unsigned long type;
	void *parameter;
	unsigned long len;
};

struct p11_pss {
	unsigned long hash, mgf, salt_len;
};

struct p11_eddsa {
	unsigned char prehash;
	unsigned long context_len;
	unsigned char *context;
};

typedef void p11_unused(void);

struct p11_functions {
	struct p11_version version;
	unsigned long (*initialize)(void *args);
	unsigned long (*finalize)(void *reserved);
	p11_unused *get_info, *get_function_list;
	unsigned long (*get_slot_list)(unsigned char with_token, unsigned long *slots, unsigned long *n);
	p11_unused *get_slot_info;
	unsigned long (*get_token_info)(unsigned long slot, struct p11_token_info *ret);
	p11_unused *get_mechanism_list;
	unsigned long (*get_mechanism_info)(unsigned long slot, unsigned long mechanism, struct p11_mechanism_info *ret);
	p11_unused *init_token, *init_pin, *set_pin;
	unsigned long (*open_session)(unsigned long slot, unsigned long flags, void *arg, void *notify, unsigned long *ret_session);
	unsigned long (*close_session)(unsigned long session);
	unsigned long (*close_all_sessions)(unsigned long slot);
	unsigned long (*get_session_info)(unsigned long session, struct p11_session_info *ret);
	p11_unused *get_operation_state, *set_operation_state;
	unsigned long (*login)(unsigned long session, unsigned long user, const unsigned char *pin, unsigned long n);
	unsigned long (*logout)(unsigned long session);
	p11_unused *create_object, *copy_object, *destroy_object, *get_object_size;
	unsigned long (*get_attribute_value)(unsigned long session, unsigned long object, struct p11_attribute *list, unsigned long n);
	p11_unused *set_attribute_value;
	unsigned long (*find_objects_init)(unsigned long session, struct p11_attribute *list, unsigned long n);
	unsigned long (*find_objects)(unsigned long session, unsigned long *ret_objects, unsigned long max, unsigned long *ret_n);
	unsigned long (*find_objects_final)(unsigned long session);
	p11_unused *encrypt[4], *decrypt[4], *digest[5];
	unsigned long (*sign_init)(unsigned long session, struct p11_mechanism *mechanism, unsigned long key);
	unsigned long (*sign)(unsigned long session, const unsigned char *data, unsigned long n, unsigned char *ret, unsigned long *ret_n);
	p11_unused *others[24];
};

typedef unsigned long p11_get_function_list(struct p11_functions **ret);

#endif
