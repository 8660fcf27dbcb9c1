/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys and PKCS#12 containers: decrypted here, the daemon has no passphrases. */
#include "ctl/load.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "util/mem.h"
#include "util/secret.h"

/* Tries one passphrase; true if it fits. */
typedef bool key_try_fn(void *arg, const char *passphrase);

bool creds_ask(const char *prompt, struct buf *ret)
{
	char *typed = getpass(prompt);

	if (!typed)
		return false;
	buf_add_str(ret, typed);
	secret_wipe(typed, strlen(typed));
	return ret->n > 0;
}

/* The passphrases that `secrets` has for a file, in order, then the user's. */
static bool key_passphrases(struct creds *c, const char *folder, const char *name, key_try_fn *fn,
			    void *arg, unsigned *ret_tried)
{
	const struct tree *secrets = tree_find(c->l->conf, "secrets"), *file;
	struct buf typed = { 0 };
	char *prompt;
	bool fits = false;

	for (const struct tree *it = secrets ? secrets->first : NULL; it; it = it->next) {
		if (it->kind != TREE_SECTION || strncmp(it->name, folder, strlen(folder)) != 0)
			continue;
		file = tree_find(it, "file");
		if (!file || file->kind != TREE_VALUE || strcmp(buf_str(&file->value), name) != 0)
			continue;
		TREE_FOREACH(key, it)
		{
			if (key->kind != TREE_VALUE || strncmp(key->name, "secret", 6) != 0)
				continue;
			++*ret_tried;
			if (fn(arg, buf_str(&key->value)))
				return true;
		}
	}
	if (!c->l->prompt)
		return false;
	prompt = xasprintf("Password for %s file '%s': ", folder, name);
	if (creds_ask(prompt, &typed)) {
		++*ret_tried;
		fits = fn(arg, buf_str(&typed));
	}
	buf_wipe(&typed);
	free(prompt);
	return fits;
}

/* Why it stays encrypted, behind "loading ... failed". */
static void key_no_passphrase(const char *path, const char *folder, const char *name, unsigned tried)
{
	if (tried)
		fprintf(stderr, "'%s' is encrypted: the passphrase of swanctl.conf, or that was typed, does not fit\n", path);
	else
		fprintf(stderr, "'%s' is encrypted, and there is no passphrase for it: secrets { %s-NAME { file = %s; secret = ... } }\n", path,
			folder, name);
}

/* ---- private keys --------------------------------------------------------- */

static bool key_is_encrypted(struct bytes data)
{
	const unsigned char *p = data.p;
	X509_SIG *sig;
	const X509_ALGOR *alg;
	bool pem = data.n && memmem(data.p, data.n, "-----BEGIN ", 11), encrypted;
	int type = 0;

	if (pem)
		return memmem(data.p, data.n, "ENCRYPTED", 9) != NULL;
	sig = d2i_X509_SIG(NULL, &p, (long)data.n);
	if (!sig)
		return false;
	X509_SIG_get0(sig, &alg, NULL);
	X509_ALGOR_get0(NULL, &type, NULL, alg);
	encrypted = type == V_ASN1_SEQUENCE; /* encryption schemes have parameters */
	X509_SIG_free(sig);
	return encrypted;
}

struct key_try {
	struct bytes data;
	EVP_PKEY *key;
};

static int key_passphrase(char *out, int size, int writing, void *arg)
{
	size_t n = strlen(arg);

	if (n > (size_t)size)
		return -1;
	memcpy(out, arg, n);
	return (int)n;
}

static bool key_try(void *arg, const char *passphrase)
{
	struct key_try *t = arg;
	BIO *bio = BIO_new_mem_buf(t->data.p, (int)t->data.n);
	char *copy = xstrdup(passphrase);

	if (memmem(t->data.p, t->data.n, "-----BEGIN ", 11))
		t->key = PEM_read_bio_PrivateKey(bio, NULL, key_passphrase, copy);
	else
		t->key = d2i_PKCS8PrivateKey_bio(bio, NULL, key_passphrase, copy);
	secret_wipe(copy, strlen(copy));
	free(copy);
	BIO_free(bio);
	ERR_clear_error();
	return t->key != NULL;
}

/* Who can read the file has the key. */
static void key_check_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && st.st_mode & (S_IRWXO & ~S_IXOTH))
		fprintf(stderr, "'%s' is a private key that everybody can %s (mode %04o): chmod 600\n", path,
			st.st_mode & S_IROTH ? "read" : "change", (unsigned)st.st_mode & 07777);
}

/* plain: as it is in the file. */
static int key_send(struct creds *c, const char *path, const char *type, const char *word,
		    struct bytes data, bool plain)
{
	struct bewick_vici_message *m = bewick_vici_message_new();
	char *success = xasprintf("loaded %s key from '%s'", word, path);
	char *failure = xasprintf("loading '%s'", path), *id = NULL;
	int ret;

	bewick_vici_str(m, "type", type);
	bewick_vici_value(m, "data", data.p, data.n);
	ret = creds_send(c, "load-key", m, success, failure, &id);
	if (id)
		names_remove(&c->keys, id);
	if (id && plain)
		key_check_mode(path);
	free(id);
	free(success);
	free(failure);
	return ret;
}

static const char *key_word(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return "RSA";
	case EVP_PKEY_EC:
		return "ECDSA";
	case EVP_PKEY_ED25519:
		return "ED25519";
	case EVP_PKEY_ED448:
		return "ED448";
	}
	return "any";
}

/* What was decrypted goes out as DER with its real type. */
static int key_send_decrypted(struct creds *c, const char *path, EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(key, &der), ret = 0;

	if (n > 0)
		ret = key_send(c, path, key_word(key), key_word(key), bytes_of(der, (size_t)n), false);
	else
		fprintf(stderr, "loading '%s' failed: the key cannot be encoded\n", path);
	if (n > 0)
		OPENSSL_clear_free(der, (size_t)n);
	return ret;
}

int creds_load_key(struct creds *c, const char *type, const char *folder, const char *name)
{
	struct buf data = { 0 };
	struct key_try t = { 0 };
	unsigned tried = 0;
	bool encrypted;
	char *path;
	int ret = load_file(c->l, folder, name, &path, &data);

	if (ret || !data.n) {
		fprintf(stderr, "loading '%s' failed: %s\n", path, ret ? strerror(ret) : "the file is empty");
		buf_free(&data);
		free(path);
		return 0;
	}
	t.data = buf_bytes(&data);
	encrypted = key_is_encrypted(t.data);
	if (encrypted && key_passphrases(c, folder, name, key_try, &t, &tried)) {
		ret = key_send_decrypted(c, path, t.key);
	} else {
		/* without a passphrase that fits the daemon is to say that it cannot read it */
		ret = key_send(c, path, type, folder, t.data, true);
		if (encrypted)
			key_no_passphrase(path, folder, name, tried);
	}
	EVP_PKEY_free(t.key);
	buf_wipe(&data);
	free(path);
	return ret;
}

/* ---- PKCS#12 -------------------------------------------------------------- */

struct p12_try {
	PKCS12 *p12;
	EVP_PKEY *key;
	X509 *cert;
	STACK_OF(X509) *ca;
};

static bool p12_try(void *arg, const char *passphrase)
{
	struct p12_try *t = arg;
	bool fits = PKCS12_parse(t->p12, passphrase, &t->key, &t->cert, &t->ca) == 1;

	ERR_clear_error();
	return fits;
}

static int p12_send_cert(struct creds *c, const char *path, const X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der), ret = 0;
	BIO *bio = BIO_new_fp(stderr, BIO_NOCLOSE);

	if (n > 0)
		ret = creds_load_cert(c, path, "X509", "NONE", bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	fputs("  ", stderr);
	X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ);
	(void)BIO_flush(bio);
	fputs("\n", stderr);
	BIO_free(bio);
	return ret;
}

static int p12_send(struct creds *c, const char *path, struct p12_try *t)
{
	int ret = 0;

	for (int i = 0; i < sk_X509_num(t->ca) && !ret; i++)
		ret = p12_send_cert(c, path, sk_X509_value(t->ca, i));
	if (!ret && t->cert)
		ret = p12_send_cert(c, path, t->cert);
	if (!ret && t->key)
		ret = key_send_decrypted(c, path, t->key);
	return ret;
}

int creds_load_pkcs12(struct creds *c, const char *name)
{
	struct buf data = { 0 };
	struct p12_try t = { 0 };
	const unsigned char *p;
	unsigned tried = 0;
	char *path;
	int ret = load_file(c->l, "pkcs12", name, &path, &data);
	const char *why = ret ? strerror(ret) : data.n ? NULL : "the file is empty";

	ret = 0;
	p = data.p;
	if (!why && !(t.p12 = d2i_PKCS12(NULL, &p, (long)data.n)))
		why = "not a PKCS#12 container";
	if (!why && !p12_try(&t, "") && !key_passphrases(c, "pkcs12", name, p12_try, &t, &tried))
		why = "no passphrase fits";
	if (why)
		fprintf(stderr, "loading '%s' failed: %s\n", path, why);
	else
		ret = p12_send(c, path, &t);
	if (why && t.p12)
		key_no_passphrase(path, "pkcs12", name, tried);
	ERR_clear_error();
	sk_X509_pop_free(t.ca, X509_free);
	X509_free(t.cert);
	EVP_PKEY_free(t.key);
	PKCS12_free(t.p12);
	buf_wipe(&data);
	free(path);
	return ret;
}
