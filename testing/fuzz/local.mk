# libFuzzer targets, built with --enable-fuzz (clang); unit tests replay the corpora.
EXTRA_DIST += testing/fuzz/corpus

# settings: strongswan.conf and swanctl.conf
if FUZZ
noinst_PROGRAMS += fuzz_settings
fuzz_settings_SOURCES = testing/fuzz/fuzz_settings.c
fuzz_settings_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_settings_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_settings_LDADD = libbewick.la
endif

# wire: IKE messages
if FUZZ
noinst_PROGRAMS += fuzz_wire
fuzz_wire_SOURCES = testing/fuzz/fuzz_wire.c testing/fuzz/fuzz.h
fuzz_wire_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_wire_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_wire_LDADD = libbewick.la
endif

# proto: identities, selectors, proposals
if FUZZ
noinst_PROGRAMS += fuzz_values
fuzz_values_SOURCES = testing/fuzz/fuzz_values.c testing/fuzz/fuzz.h
fuzz_values_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_values_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_values_LDADD = libbewick.la
endif

# crypto, auth: certificates, CRLs, chains
if FUZZ
noinst_PROGRAMS += fuzz_cert
fuzz_cert_SOURCES = testing/fuzz/fuzz_cert.c testing/fuzz/fuzz.h
fuzz_cert_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_cert_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_cert_LDADD = libbewick.la $(OPENSSL_LIBS)
endif

# vici: the control socket
if FUZZ
noinst_PROGRAMS += fuzz_vici
fuzz_vici_SOURCES = testing/fuzz/fuzz_vici.c
fuzz_vici_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_vici_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_vici_LDADD = libbewick.la
endif

# control, config: what clients load
if FUZZ
noinst_PROGRAMS += fuzz_load
fuzz_load_SOURCES = $(control_sources) testing/fuzz/fuzz_load.c testing/fuzz/fuzz.h
fuzz_load_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_load_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_load_LDADD = libbewick.la
endif

# kernel-userland: inner packets
if FUZZ
noinst_PROGRAMS += fuzz_flow
fuzz_flow_SOURCES = testing/fuzz/fuzz_flow.c testing/fuzz/fuzz.h
fuzz_flow_CFLAGS = $(AM_CFLAGS) -I$(srcdir)/plugins/kernel-userland -fsanitize=fuzzer
fuzz_flow_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_flow_LDADD = libkernel-userland.la libbewick.la $(MNL_LIBS)
endif

# sa: two endpoints, and a peer that has the keys and breaks the rules
if FUZZ
noinst_PROGRAMS += fuzz_sa
fuzz_sa_SOURCES = \
	testing/exchange/confs.h \
	testing/exchange/lab.c \
	testing/exchange/lab_auth.c \
	testing/exchange/lab_auth.h \
	testing/exchange/lab_backend.c \
	testing/exchange/lab_check.c \
	testing/exchange/lab_plugins.c \
	testing/exchange/lab_unknown.c \
	testing/exchange/lab_vips.c \
	testing/exchange/lab_private.h \
	testing/exchange/lab.h \
	testing/fuzz/check_abort.c \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_sa.c \
	testing/fuzz/sa_forge.c \
	testing/fuzz/sa_payloads.c \
	testing/fuzz/sa_program.h \
	testing/lib/swanctl_text.c \
	testing/lib/swanctl_text.h
fuzz_sa_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) -fsanitize=fuzzer
fuzz_sa_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_sa_LDADD = libbewick.la $(OPENSSL_LIBS)
endif

# sa: fragments of a peer that has the keys
if FUZZ
noinst_PROGRAMS += fuzz_fragment
fuzz_fragment_SOURCES = \
	testing/exchange/confs.h \
	testing/exchange/lab.c \
	testing/exchange/lab_auth.c \
	testing/exchange/lab_auth.h \
	testing/exchange/lab_backend.c \
	testing/exchange/lab_check.c \
	testing/exchange/lab_plugins.c \
	testing/exchange/lab_unknown.c \
	testing/exchange/lab_vips.c \
	testing/exchange/lab_private.h \
	testing/exchange/lab.h \
	testing/fuzz/check_abort.c \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_fragment.c \
	testing/lib/swanctl_text.c \
	testing/lib/swanctl_text.h
fuzz_fragment_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) -fsanitize=fuzzer
fuzz_fragment_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_fragment_LDADD = libbewick.la $(OPENSSL_LIBS)
endif

# net: TCP streams
if FUZZ
noinst_PROGRAMS += fuzz_tcp
fuzz_tcp_SOURCES = testing/fuzz/fuzz_tcp.c testing/fuzz/fuzz.h
fuzz_tcp_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_tcp_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_tcp_LDADD = libbewick.la
endif

# crypto: keys and signatures
if FUZZ
noinst_PROGRAMS += fuzz_keys
fuzz_keys_SOURCES = testing/fuzz/fuzz_keys.c testing/fuzz/fuzz.h
fuzz_keys_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_keys_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_keys_LDADD = libbewick.la
endif

# auth: OCSP responses, hash and URL of certificates
if FUZZ
noinst_PROGRAMS += fuzz_revocation
fuzz_revocation_SOURCES = testing/fuzz/fuzz_revocation.c testing/fuzz/fuzz.h
fuzz_revocation_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_revocation_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_revocation_LDADD = libbewick.la $(OPENSSL_LIBS)
endif
