/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CTL_LOAD_H
#define BEWICK_CTL_LOAD_H

#include "config/tree.h"
#include "ctl/ctl.h"

/* What the load-* verbs share. */
struct load {
	struct ctl *ctl;
	struct tree *conf; /* the file as parsed */
	char *dir;	   /* where it lies: base of the credential directories */
	bool prompt;	   /* passwords may be asked for */
	bool all;	   /* load-all: what a daemon lacks matters only if the file has it */
	bool refused;	   /* something was not loaded that is to change the exit status */
};

/* ---- load_file.c ---------------------------------------------------------- */

/* 0, or the exit status: said why on stderr; then nothing has been sent or changed. */
int load_open(struct load *l, struct ctl *ctl);
void load_close(struct load *l);

/* A file of the base directory's folder (or an absolute path) and its content. 0 or an errno.
 * *ret_path is set in any case and the caller's. */
int load_file(const struct load *l, const char *folder, const char *name, char **ret_path,
	      struct buf *ret);

/* ---- load_names.c: what the daemon has already ---------------------------- */

struct names {
	char **v;
	size_t n;
};

void names_add(struct names *names, struct bytes name);
void names_remove(struct names *names, const char *name);
void names_clear(struct names *names);
/* From the items of a list of a reply; list NULL: from the names of its sections. */
void names_from_reply(struct names *names, struct bytes reply, const char *list);

/* Asks the daemon. 0 or an exit status (said why); -1: it does not know the command. */
int load_get(struct load *l, const char *command, const char *list, struct names *ret);

/* ---- load_build.c: from the file to messages ------------------------------ */

/* The body of one section; false: something is wrong on our side, said on stderr. */
bool load_build_conn(const struct load *l, struct bewick_vici_message *m, const struct tree *conn);
bool load_build_pool(const struct load *l, struct bewick_vici_message *m, const struct tree *pool);
bool load_build_authority(const struct load *l, struct bewick_vici_message *m,
			  const struct tree *authority);

/* A value in the file's notation: 0x and hex, 0s and base64, or the text itself. */
MUST_CHECK bool load_decode(struct bytes text, struct buf *ret);

/* ---- load_creds.c, load_secrets.c ------------------------------------------ */

struct creds {
	struct load *l;
	struct names keys, shared; /* the daemon's; what is loaded again is taken off */
};

int load_creds(struct load *l, bool clear);
/* Each: 0, or an exit status after which nothing more makes sense. */
int creds_load_shared(struct creds *c);
int creds_load_tokens(struct creds *c);
/* Sends a load-* command (the message is taken) and says how it went. ret_id: id of the reply, may be NULL. */
int creds_send(struct creds *c, const char *command, struct bewick_vici_message *m,
	       const char *success, const char *failure, char **ret_id);

/* ---- load_keys.c ------------------------------------------------------------ */

/* A private key file of folder `type`: decrypted if it has to be and can be. */
int creds_load_key(struct creds *c, const char *type, const char *folder, const char *name);
int creds_load_pkcs12(struct creds *c, const char *name);
int creds_load_cert(struct creds *c, const char *path, const char *type, const char *flag,
		    struct bytes data);
/* Asks on the terminal; false: nothing was typed. The text is to be wiped. */
bool creds_ask(const char *prompt, struct buf *ret);

#endif
