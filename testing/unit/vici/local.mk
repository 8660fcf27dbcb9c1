# tests of src/vici
check_PROGRAMS += test_vici
test_vici_SOURCES = testing/unit/vici/main.c testing/unit/vici/test_client.c \
	testing/unit/vici/test_message.c testing/unit/vici/vici_tests.h \
	testing/fuzz/fuzz_vici.c testing/lib/scratch.c testing/lib/scratch.h
test_vici_CFLAGS = $(test_cflags) -I$(srcdir) -DVECTORS='"$(abs_srcdir)/testing/vectors"' \
	-DFUZZ_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/vici"'
test_vici_LDADD = libbewick-vici.la $(test_ldadd)
EXTRA_DIST += testing/vectors/vici
