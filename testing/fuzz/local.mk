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

# vici: the control socket
if FUZZ
noinst_PROGRAMS += fuzz_vici
fuzz_vici_SOURCES = testing/fuzz/fuzz_vici.c
fuzz_vici_CFLAGS = $(AM_CFLAGS) -fsanitize=fuzzer
fuzz_vici_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_vici_LDADD = libbewick.la
endif

# kernel-userland: inner packets
if FUZZ
noinst_PROGRAMS += fuzz_flow
fuzz_flow_SOURCES = testing/fuzz/fuzz_flow.c testing/fuzz/fuzz.h
fuzz_flow_CFLAGS = $(AM_CFLAGS) -I$(srcdir)/plugins/kernel-userland -fsanitize=fuzzer
fuzz_flow_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_flow_LDADD = libkernel-userland.la libbewick.la
endif
