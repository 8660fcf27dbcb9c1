/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings_keys.h"

#include <string.h>

#include "util/mem.h"

#define SUBSYSTEMS "dmn,mgr,ike,chd,job,wch,cfg,knl,net,asn,enc,tnc,imc,imv,pts,tls,app,esp,lib"

/* "*" stands for one name, "**" at the end for one or more; "a,b" for a or b in that place. */
static const char *const used_keys[] = {
	"attributes_without_vips",
	"block_threshold",
	"cache_crls",
	"cert_cache",
	"cert_clock_skew",
	"close_ike_on_child_failure",
	"closed_linger",
	"cookie_threshold",
	"cookie_threshold_ip",
	"delete_rekeyed_delay",
	"dns1,dns2,nbns1,nbns2",
	"dos_protection",
	"group,user",
	"fetch_retry",
	"fragment_size,fragment_size_v4,fragment_size_v6",
	"half_open_timeout",
	"hash_and_url",
	"ignore_routing_tables",
	"ikesa_limit",
	"init_limit_half_open,init_limit_job_load",
	"inactivity_close_ike",
	"initiator_only",
	"install_routes",
	"install_virtual_ip,install_virtual_ip_on",
	"interfaces_ignore,interfaces_use",
	"keep_alive,keep_alive_dpd_margin",
	"kernel",
	"load,load_modular",
	"make_before_break",
	"max_packet",
	"message_id_sync",
	"mobike_return_check",
	"multiple_authentication",
	"ocsp_nonce_len",
	"pidfile",
	"port,port_nat_t",
	"prefer_best_path",
	"prefer_configured_proposals",
	"private_key_process",
	"process_route",
	"qcd.enabled,rotate,secret_file",
	"replay_window",
	"retransmit_base,retransmit_jitter,retransmit_limit,retransmit_timeout,retransmit_tries",
	"retry_initiate_interval",
	"reuse_ikesa",
	"routing_table,routing_table_prio",
	"rsa_pss",
	"signature_authentication,signature_authentication_constraints",
	"start-scripts,stop-scripts.*",
	"tcp_port",
	"token_timeout",
	"workers",
	"x509.enforce_critical",
	/* logging */
	"filelog.*.default," SUBSYSTEMS,
	"filelog.*.path,append,flush_line,ike_name,log_level,time_format,time_precision,time_add_ms",
	"syslog.identifier",
	"syslog.daemon,auth.default,ike_name,log_level,map_level," SUBSYSTEMS,
	/* plugins */
	"plugins.*.load",
	"plugins.attr.*",
	"plugins.curl.redir",
	"plugins.kernel-netlink.receive_buffer_size,retries,roam_events,timeout",
	"plugins.kernel-netlink.bypass_tcp,fwmark,mtu,mss,port_bypass",
	"plugins.kernel-netlink.xfrm_acq_expires",
	"plugins.kernel-netlink.interfaces.*.if_id,dev,namespace,vrf,addresses,mtu",
	"plugins.kernel-netlink.spdh_thresh.ipv4,ipv6.lbits,rbits",
	"plugins.kernel-userland.device,drop_clear,mtu,threads",
	"plugins.pkcs11.modules.*.path",
	"plugins.resolve.file,timeout",
	"plugins.resolve.resolvconf.path,iface",
	"plugins.resolve.resolvectl.path,interface",
	"plugins.revocation.enable_ocsp,enable_crl,timeout",
	"plugins.socket-default.fwmark,use_ipv4,use_ipv6",
	"plugins.ipseckey.enable",
	"plugins.unbound.resolv_conf,trust_anchors",
	"plugins.updown.dns_handler,timeout",
	"plugins.vici.socket",
};

static const char *const unused_keys[] = {
	"accept_private_algs",
	"check_current_path",
	"filelog.*.json",
	"flush_auth_cfg",
	"follow_redirects",
	"force_eap_only_authentication",
	"host_resolver.min_threads,max_threads",
	"ignore_acquire_ts",
	"ikesa_table_segments,ikesa_table_size",
	"integrity_test",
	"iptfs.accept_fragments,dont_frag",
	"iptfs.drop_time,reorder_window,init_delay,max_queue_size,packet_size",
	"journal.default," SUBSYSTEMS,
	"prefer_temporary_addrs",
	"processor.priority_threads.critical,high,medium,low",
	"rdn_matching",
	"receive_delay,receive_delay_request,receive_delay_response,receive_delay_type",
	"reject_trusted_end_entity",
	"reqid_base",
	"send_delay,send_delay_request,send_delay_response,send_delay_type",
	"send_vendor_id",
	"spi_label,spi_mask,spi_max,spi_min",
	"threads",
	"tls.send_certreq_authorities",
	"tls.version_min,version_max,cipher,key_exchange,mac,suites,ke_group,signature",
	/* IKEv1 and internals */
	"accept_unencrypted_mainmode_messages",
	"cisco_flexvpn,cisco_unity",
	"delete_rekeyed",
	"dh_exponent_ansi_x9_42",
	"dlopen_use_rtld_now",
	"i_dont_care_about_security_and_use_aggressive_mode_psk",
	"max_ikev1_exchanges",
	"crypto_test,leak_detective.**",
	/* plugins */
	"plugins.socket-default.set_source,set_sourceif",
	"plugins.kernel-netlink.buflen,force_receive_buffer_size",
	"plugins.kernel-netlink.parallel_route,parallel_xfrm,policy_update,process_rules",
	"plugins.kernel-netlink.install_routes_xfrmi,set_proto_port_transport_sa",
	"plugins.kernel-netlink.ignore_retransmit_errors",
	"plugins.kernel-netlink.hw_offload_feature_interface",
	"plugins.kernel-libipsec.allow_peer_ts,raw_esp,fwmark",
	"plugins.curl.tls_backend",
	"plugins.dnscert.enable",
	"plugins.bypass-lan.interfaces_use,interfaces_ignore",
	"plugins.dhcp.server,force_server_address,identity_lease,use_server_port",
	"plugins.dhcp.interface,interface_receive",
	"plugins.eap-tls,eap-ttls,eap-peap.fragment_size,max_message_count,include_length",
	"plugins.eap-ttls,eap-peap.phase2_method,phase2_piggyback,phase2_tnc,phase2_tnc_method",
	"plugins.eap-ttls,eap-peap.request_peer_auth",
	"plugins.eap-aka,eap-sim.request_identity",
	"plugins.eap-gtc.backend",
	"plugins.eap-dynamic.preferred,prefer_user",
	"plugins.eap-tnc.max_message_count,protocol",
	"plugins.eap-radius.server,secret,port,source,nas_identifier,sockets",
	"plugins.eap-radius.retransmit_base,retransmit_timeout,retransmit_tries",
	"plugins.eap-radius.servers.*.address,secret,auth_port,port,acct_port,sockets,source",
	"plugins.eap-radius.servers.*.nas_identifier,preference",
	"plugins.eap-radius.servers.*.retransmit_base,retransmit_timeout,retransmit_tries",
	"plugins.eap-radius.eap_start,id_prefix,class_group,filter_id,station_id_with_port",
	"plugins.eap-radius.accounting,accounting_interval,accounting_requires_vip",
	"plugins.eap-radius.accounting_send_class,accounting_close_on_timeout",
	"plugins.eap-radius.close_all_on_timeout",
	"plugins.eap-radius.dae.enable,listen,port,secret",
	"plugins.eap-radius.forward.ike_to_radius,radius_to_ike",
	"plugins.eap-radius.xauth.*",
	"plugins.ha.local,remote,secret,segment_count,monitor,resync,heartbeat_delay",
	"plugins.ha.heartbeat_timeout,fifo_interface,buflen,autobalance",
	"plugins.ha.pools.*",
	"plugins.load-tester.enable,initiators,iterations,delay,responder,initiator",
	"plugins.load-tester.initiator_auth,responder_auth,initiator_id,responder_id",
	"plugins.load-tester.initiator_match,initiator_tsi,initiator_tsr,responder_tsi,responder_tsr",
	"plugins.load-tester.proposal,esp,mode,version,request_virtual_ip,pool,ike_rekey,child_rekey",
	"plugins.load-tester.dpd_delay,dynamic_port,fake_kernel,init_limit",
	"plugins.load-tester.delete_after_established,shutdown_when_complete,preshared_key",
	"plugins.load-tester.eap_password,issuer_cert,issuer_key,ca_dir,crl,digest",
	"plugins.load-tester.addrs_keep,addrs_prefix,socket",
	"plugins.load-tester.addrs.*",
};

/* One of the words of a comma list is the name. */
static bool key_name_fits(const char *words, size_t n_words, const char *name, size_t n)
{
	if (n_words == 1 && words[0] == '*')
		return n > 0;
	for (const char *at = words, *end = words + n_words; at < end;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t len = (size_t)((comma ? comma : end) - at);

		if (len == n && memcmp(at, name, n) == 0)
			return true;
		at += len + 1;
	}
	return false;
}

static bool key_fits(const char *pattern, const char *path)
{
	while (*pattern && *path) {
		size_t n_words = strcspn(pattern, "."), n = strcspn(path, ".");

		if (strcmp(pattern, "**") == 0)
			return true;
		if (!key_name_fits(pattern, n_words, path, n))
			return false;
		pattern += n_words + (pattern[n_words] == '.');
		path += n + (path[n] == '.');
	}
	return !*pattern && !*path;
}

static bool key_in(const char *const *patterns, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (key_fits(patterns[i], path))
			return true;
	}
	return false;
}

enum settings_key_use settings_key_use(const char *path)
{
	if (key_in(used_keys, ARRAY_LEN(used_keys), path))
		return SETTINGS_KEY_USED;
	if (key_in(unused_keys, ARRAY_LEN(unused_keys), path))
		return SETTINGS_KEY_UNUSED;
	return SETTINGS_KEY_UNKNOWN;
}
