check_PROGRAMS += test_exchange
test_exchange_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/exchange/confs.h \
	testing/exchange/lab.c \
	testing/exchange/lab_auth.c \
	testing/exchange/lab_auth.h \
	testing/exchange/lab_backend.c \
	testing/exchange/lab_plugins.c \
	testing/exchange/lab_seeds.c \
	testing/exchange/lab_private.h \
	testing/exchange/lab_unknown.c \
	testing/exchange/lab.h \
	testing/exchange/main.c \
	testing/exchange/suites.h \
	testing/exchange/test_child_rekey.c \
	testing/exchange/test_children.c \
	testing/exchange/test_config_payload.c \
	testing/exchange/test_crossing.c \
	testing/exchange/test_fragments.c \
	testing/exchange/test_fuzz.c \
	testing/exchange/test_ike_rekey.c \
	testing/exchange/test_addrs.c \
	testing/exchange/mobile.h \
	testing/exchange/test_mobike.c \
	testing/exchange/test_mobike_auth.c \
	testing/exchange/test_mobike_rules.c \
	testing/exchange/test_auth.c \
	testing/exchange/test_auth_keys.c \
	testing/exchange/test_auth_asked.c \
	testing/exchange/test_auth_rounds.c \
	testing/unit/auth/pki.c \
	testing/unit/auth/pki.h \
	testing/exchange/test_backend.c \
	testing/exchange/test_nat.c \
	testing/exchange/test_modes.c \
	testing/exchange/test_odd.c \
	testing/exchange/test_peer.c \
	testing/exchange/test_qcd.c \
	testing/exchange/test_random.c \
	testing/exchange/test_rfc.c \
	testing/exchange/test_rfc_rekey.c \
	testing/exchange/test_reauth.c \
	testing/exchange/test_setup.c \
	testing/exchange/test_storm.c \
	testing/exchange/test_stream.c \
	testing/exchange/test_traps.c \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_sa.c \
	testing/fuzz/sa_forge.c \
	testing/fuzz/sa_payloads.c \
	testing/fuzz/sa_program.h \
	testing/exchange/test_sync.c \
	testing/lib/swanctl_text.c \
	testing/lib/swanctl_text.h
test_exchange_CFLAGS = $(test_cflags) -DFUZZ_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/sa"'
test_exchange_LDADD = $(test_ldadd)
