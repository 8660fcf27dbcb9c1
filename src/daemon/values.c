/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/values.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/log.h"

/* Keeps the packets of a data plane in user space out of its own tunnels. */
#define DEFAULT_MARK 0x62770001

int64_t values_int(const struct settings *s, const char *key, int64_t min, int64_t max, int64_t fallback)
{
	int64_t v = settings_int(s, key, fallback);

	if (v >= min && v <= max)
		return v;
	LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' is %lld: %lld to %lld is possible, using %lld", key,
	    (long long)v, (long long)min, (long long)max, (long long)fallback);
	return fallback;
}

/* A time, in seconds. */
static int64_t values_seconds(const struct settings *s, const char *key, uint64_t min, uint64_t max, uint64_t fallback)
{
	uint64_t v = settings_time(s, key, fallback);

	if (v >= min && v <= max)
		return (int64_t)v;
	LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' is %llu s: %llu to %llu s is possible, using %llu s", key, (unsigned long long)v,
	    (unsigned long long)min, (unsigned long long)max, (unsigned long long)fallback);
	return (int64_t)fallback;
}

static double values_double(const struct settings *s, const char *key, double min, double max, double fallback)
{
	double v = settings_double(s, key, fallback);

	if (v >= min && v <= max)
		return v;
	LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' is %g: %g to %g is possible, using %g", key, v, min, max,
	    fallback);
	return fallback;
}

void values_net(const struct settings *s, struct net_options *ret)
{
	ret->port = (uint16_t)values_int(s, "port", 0, 65535, ret->port);
	ret->port_nat_t = (uint16_t)values_int(s, "port_nat_t", 0, 65535, ret->port_nat_t);
	ret->tcp_port = (uint16_t)values_int(s, "tcp_port", 0, 65535, ret->tcp_port);
	ret->max_packet = (unsigned)values_int(s, "max_packet", 576, 65535, ret->max_packet);
	ret->ipv4 = settings_bool(s, "plugins.socket-default.use_ipv4", ret->ipv4);
	ret->ipv6 = settings_bool(s, "plugins.socket-default.use_ipv6", ret->ipv6);
}

/* Bytes of an IP datagram; 0: what each version of IP promises to carry (RFC 791, RFC 8200). */
static uint16_t values_fragment_size(const struct settings *s, const char *key, int64_t fallback, uint16_t least)
{
	int64_t v = values_int(s, key, 0, 65535, fallback);

	if (v != 0 && v < LIMIT_FRAGMENT_SIZE_MIN) {
		LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' is %lld: 0 or %u to 65535 is possible, using %u", key, (long long)v,
		    LIMIT_FRAGMENT_SIZE_MIN, LIMIT_FRAGMENT_SIZE_MIN);
		v = LIMIT_FRAGMENT_SIZE_MIN;
	}
	return v ? (uint16_t)v : least;
}

static void values_sa(const struct settings *s, struct sa_options *o)
{
	int64_t both;

	o->retransmit_timeout = values_double(s, "retransmit_timeout", 0.01, 3600, o->retransmit_timeout);
	o->retransmit_base = values_double(s, "retransmit_base", 1, 100, o->retransmit_base);
	o->retransmit_tries = (unsigned)values_int(s, "retransmit_tries", 0, 100, o->retransmit_tries);
	o->retransmit_jitter = (unsigned)values_int(s, "retransmit_jitter", 0, 100, o->retransmit_jitter);
	o->retransmit_limit = (uint32_t)values_int(s, "retransmit_limit", 0, 86400, o->retransmit_limit);
	o->close_ike_on_child_failure = settings_bool(s, "close_ike_on_child_failure", false);
	o->inactivity_close_ike = settings_bool(s, "inactivity_close_ike", false);
	o->half_open_timeout = (uint32_t)values_int(s, "half_open_timeout", 1, 86400, o->half_open_timeout);
	o->closed_linger = (uint32_t)values_int(s, "closed_linger", 0, 3600, o->closed_linger);
	o->delete_rekeyed_delay = (uint32_t)values_int(s, "delete_rekeyed_delay", 0, 3600, o->delete_rekeyed_delay);
	o->prefer_peer_proposals = !settings_bool(s, "prefer_configured_proposals", true);
	o->reuse_ikesa = settings_bool(s, "reuse_ikesa", true);
	o->message_id_sync = settings_bool(s, "message_id_sync", true);
	o->attributes_without_vips = settings_bool(s, "attributes_without_vips", false);
	o->install_virtual_ip = settings_bool(s, "install_virtual_ip", true);
	o->qcd = settings_bool(s, "qcd.enabled", true);
	o->hash_and_url = settings_bool(s, "hash_and_url", false);
	o->multiple_authentication = settings_bool(s, "multiple_authentication", true);
	o->signature_authentication = settings_bool(s, "signature_authentication", true);
	both = values_int(s, "fragment_size", 0, 65535, 1280);
	o->fragment_size_v4 = values_fragment_size(s, "fragment_size_v4", both, 576);
	o->fragment_size_v6 = values_fragment_size(s, "fragment_size_v6", both, 1280);
	o->prefer_best_path = settings_bool(s, "prefer_best_path", false);
	o->mobike_return_check = settings_bool(s, "mobike_return_check", true);
	o->make_before_break = settings_bool(s, "make_before_break", false);
	o->keep_alive = (uint32_t)settings_time(s, "keep_alive", 20);
	o->keep_alive_dpd_margin = (uint32_t)settings_time(s, "keep_alive_dpd_margin", 0);
	o->retry_initiate_interval = (uint32_t)settings_time(s, "retry_initiate_interval", 0);
}

void values_workers(const struct settings *s, struct workers_options *ret)
{
	bool protect = settings_bool(s, "dos_protection", true);

	sa_options_default(&ret->sa);
	values_sa(s, &ret->sa);
	ret->cookie_threshold = protect ? (unsigned)values_int(s, "cookie_threshold", 0, UINT32_MAX, 30) : 0;
	ret->cookie_threshold_ip = protect ? (unsigned)values_int(s, "cookie_threshold_ip", 0, UINT32_MAX, 3) : 0;
	ret->block_threshold = protect ? (unsigned)values_int(s, "block_threshold", 0, UINT32_MAX, 5) : 0;
	ret->ikesa_limit = (unsigned)values_int(s, "ikesa_limit", 0, UINT32_MAX, 0);
	ret->initiator_only = settings_bool(s, "initiator_only", false);
}

void values_control(const struct settings *s, struct control_settings *ret)
{
	ret->reuse_ikesa = settings_bool(s, "reuse_ikesa", true);
	ret->init_limit_half_open = (unsigned)values_int(s, "init_limit_half_open", 0, UINT32_MAX, 0);
	ret->init_limit_job_load = (unsigned)values_int(s, "init_limit_job_load", 0, UINT32_MAX, 0);
	ret->replay_window = (uint32_t)values_int(s, "replay_window", 0, UINT32_MAX, 32);
	ret->chain_rules_only = !settings_bool(s, "signature_authentication_constraints", true);
	ret->token_ms = values_token_ms(s);
}

unsigned values_token_ms(const struct settings *s)
{
	return (unsigned)values_seconds(s, "token_timeout", 1, 3600, 20) * 1000;
}

void values_auth(const struct settings *s, struct auth_options *ret)
{
	ret->fetch_timeout = (unsigned)values_seconds(s, "plugins.revocation.timeout", 1, 3600, 10);
	if (ret->fetch_timeout * 1000 > LIMIT_AUTH_MS)
		LOG(CFG, LOG_LEVEL_CONTROL, "setting 'plugins.revocation.timeout' is %u s: an authentication waits %u s at most; what comes "
		    "later is known to the next one", ret->fetch_timeout, LIMIT_AUTH_MS / 1000);
	ret->fetch_failed_ttl = (unsigned)values_seconds(s, "fetch_retry", 1, 86400, 60);
	ret->clock_skew = values_seconds(s, "cert_clock_skew", 0, 86400, 60);
	ret->crl_dir = settings_bool(s, "cache_crls", false) ? SWANCTLDIR "/x509crl" : NULL;
	ret->hash_and_url = settings_bool(s, "hash_and_url", false);
	ret->rsa_pss = settings_bool(s, "rsa_pss", false);
	ret->enforce_critical = settings_bool(s, "x509.enforce_critical", true);
	ret->ocsp_nonce_len = (unsigned)values_int(s, "ocsp_nonce_len", 0, 128, 32);
	ret->no_cert_cache = !settings_bool(s, "cert_cache", true);
	ret->no_ocsp = !settings_bool(s, "plugins.revocation.enable_ocsp", true);
	ret->no_crl = !settings_bool(s, "plugins.revocation.enable_crl", true);
}

/* The CPUs we may run on, unless the settings say otherwise. */
unsigned values_worker_count(const struct settings *s)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	if (n < 1)
		n = 1;
	if (n > NET_MAX_WORKERS)
		n = NET_MAX_WORKERS;
	return (unsigned)values_int(s, "workers", 1, NET_MAX_WORKERS, n);
}

uint32_t values_mark(const struct settings *s, bool needed)
{
	return (uint32_t)values_int(s, "plugins.socket-default.fwmark", 0, UINT32_MAX, needed ? DEFAULT_MARK : 0);
}

const char *values_control_uri(const struct settings *s)
{
	return settings_str(s, "plugins.vici.socket", "unix://" PIDDIR "/charon.vici");
}

bool values_key_process(const struct settings *s)
{
	return settings_bool(s, "private_key_process", false);
}

void values_check(const struct settings *s)
{
	struct net_options net = net_options_default();
	struct workers_options workers = { 0 };
	struct control_settings control;
	struct auth_options auth = { 0 };

	values_net(s, &net);
	values_auth(s, &auth);
	values_workers(s, &workers);
	values_control(s, &control);
	(void)values_worker_count(s);
	(void)values_mark(s, false);
	(void)values_key_process(s);
}
