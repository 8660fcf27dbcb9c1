# tests of src/wire
check_PROGRAMS += test_wire
test_wire_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_wire.c \
	testing/unit/wire/pcap.c \
	testing/unit/wire/pcap.h \
	testing/unit/wire/test_builder.c \
	testing/unit/wire/test_captures.c \
	testing/unit/wire/test_corpus.c \
	testing/unit/wire/test_describe.c \
	testing/unit/wire/test_header.c \
	testing/unit/wire/test_mutation.c \
	testing/unit/wire/test_payloads.c \
	testing/unit/wire/test_rules.c \
	testing/unit/wire/test_sa_payload.c \
	testing/unit/wire/wire_test.c \
	testing/unit/wire/wire_test.h
test_wire_CFLAGS = $(test_cflags)
test_wire_LDADD = $(test_ldadd)
EXTRA_DIST += testing/vectors/ikev2-pcap testing/vectors/ikev2-plaintext
