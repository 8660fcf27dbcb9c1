/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/auth_service.h"
#include "control/internal.h"

/* load-cert and flush-certs. */

static struct creds_set *certs_set(struct command *cmd)
{
	return config_store_creds(cmd->control->store);
}

static void load_failed(struct command *cmd, const char *type, const struct errtext *why)
{
	LOG(CFG, 1, "parsing %s certificate failed: %s", type, why->s);
	command_fail(cmd, "parsing %s certificate failed: %s", type, why->s);
}

static bool cert_is_out_of_time(const struct cert *cert, struct text *ret)
{
	time_t now = time(NULL), when = now > cert->not_after ? cert->not_after : cert->not_before;
	char text[32] = "?";
	struct tm tm;

	if (now >= cert->not_before && now <= cert->not_after)
		return false;
	if (gmtime_r(&when, &tm))
		(void)strftime(text, sizeof(text), "%F %T UTC", &tm);
	snprintf(ret->s, sizeof(ret->s), "%s %s", now > cert->not_after ? "has expired at" : "is not valid before", text);
	return true;
}

static void load_x509(struct command *cmd, struct bytes data, enum cert_flag flag)
{
	struct errtext why;
	struct cert *cert = cert_parse(data, &why);
	struct text when;
	bool lacks;

	if (!cert) {
		load_failed(cmd, "X509", &why);
		return;
	}
	if (flag == CERT_FLAG_CA && !cert->ca) {
		LOG(CFG, 1, "ca certificate %s lacks CA basic constraint, rejected", cert_text(cert).s);
		command_fail(cmd, "ca certificate lacks CA basic constraint, rejected");
		cert_unref(cert);
		return;
	}
	lacks = cert_is_out_of_time(cert, &when);
	if (lacks)
		LOG(CFG, 1, "loaded certificate %s, which %s", cert_text(cert).s, when.s);
	else
		LOG(CFG, 1, "loaded certificate %s", cert_text(cert).s);
	if (creds_set_add_cert(certs_set(cmd), cert, flag))
		control_config_changed(cmd->control);
	if (lacks)
		vici_write_str(command_reply(cmd), "errmsg", when.s);
	command_ok(cmd);
}

static void load_pubkey(struct command *cmd, struct bytes data)
{
	struct errtext why;
	struct public_key *key = public_key_parse(data, KEY_ANY, &why);

	if (!key) {
		load_failed(cmd, "PUBKEY", &why);
		return;
	}
	LOG(CFG, 1, "loaded raw public key: %s, %u bits", key_type_name(key->type), key->bits);
	if (creds_set_add_pubkey(certs_set(cmd), key))
		control_config_changed(cmd->control);
	command_ok(cmd);
}

static void load_crl(struct command *cmd, struct bytes data)
{
	struct errtext why;
	struct crl *crl = crl_parse(data, &why);

	if (!crl) {
		load_failed(cmd, "X509_CRL", &why);
		return;
	}
	crl_ref(crl);
	if (creds_set_add_crl(certs_set(cmd), crl)) {
		LOG(CFG, 1, "loaded CRL of '%s'", id_text(&crl->issuer).s);
		control_config_changed(cmd->control);
		if (cmd->control->workers) /* established SAs may be of who it revokes */
			workers_recheck_crl(cmd->control->workers, crl);
	} else {
		LOG(CFG, 1, "the CRL of '%s' is not newer than the one that is loaded", id_text(&crl->issuer).s);
	}
	crl_unref(crl);
	command_ok(cmd);
}

static void load_acert(struct command *cmd, struct bytes data)
{
	struct errtext why;
	struct acert *ac = acert_parse(data, &why);

	if (!ac) {
		load_failed(cmd, "X509_AC", &why);
		return;
	}
	LOG(CFG, 1, "loaded attribute certificate %s", acert_text(ac).s);
	if (creds_set_add_acert(certs_set(cmd), ac))
		control_config_changed(cmd->control);
	command_ok(cmd);
}

void cmd_load_cert(struct command *cmd)
{
	struct bytes message = command_request(cmd), type, flag, data;
	struct cert_filter f;

	if (!vici_find_text(message, "type", &type)) {
		command_fail(cmd, "certificate type missing");
	} else if (!cert_filter_type(type, &f) || f.type == VICI_CERT_ANY) {
		command_fail(cmd, "invalid certificate type '%.*s'", (int)type.n, type.n ? (const char *)type.p : "");
	} else if (f.type == VICI_CERT_X509 && vici_find_text(message, "flag", &flag) &&
		   (!cert_filter_flag(flag, &f) || f.any_flag)) {
		command_fail(cmd, "invalid certificate flag '%.*s'", (int)flag.n, flag.n ? (const char *)flag.p : "");
	} else if (!vici_find(message, VICI_KEY_VALUE, "data", &data) || !data.n) {
		command_fail(cmd, "certificate data missing");
	} else {
		switch (f.type) {
		case VICI_CERT_PUBKEY:
			load_pubkey(cmd, data);
			break;
		case VICI_CERT_X509:
			load_x509(cmd, data, f.flag);
			break;
		case VICI_CERT_CRL:
			load_crl(cmd, data);
			break;
		case VICI_CERT_AC:
			load_acert(cmd, data);
			break;
		case VICI_CERT_OCSP:
		case VICI_CERT_ANY:
			command_fail(cmd, "OCSP responses cannot be loaded, they are fetched");
			break;
		}
	}
}

/* What a type has in the cache of what was fetched or received. */
static unsigned cached_kinds(enum vici_cert type)
{
	switch (type) {
	case VICI_CERT_X509:
		return AUTH_CACHED_CERTS;
	case VICI_CERT_CRL:
		return AUTH_CACHED_CRLS;
	case VICI_CERT_OCSP:
		return AUTH_CACHED_OCSP;
	case VICI_CERT_ANY:
		return AUTH_CACHED_CERTS | AUTH_CACHED_CRLS | AUTH_CACHED_OCSP;
	case VICI_CERT_AC:
	case VICI_CERT_PUBKEY:
		return 0;
	}
	return 0;
}

void control_flush_certs(struct control *c, enum vici_cert type)
{
	if (c->auth && cached_kinds(type))
		auth_service_flush(c->auth, cached_kinds(type));
}

void cmd_flush_certs(struct command *cmd)
{
	struct cert_filter f = { VICI_CERT_ANY, CERT_FLAG_NONE, true };
	struct bytes type;

	if (vici_find_text(command_request(cmd), "type", &type) && !cert_filter_type(type, &f)) {
		command_fail(cmd, "invalid certificate type '%.*s'", (int)type.n, type.n ? (const char *)type.p : "");
		return;
	}
	control_flush_certs(cmd->control, f.type);
	command_ok(cmd);
}
