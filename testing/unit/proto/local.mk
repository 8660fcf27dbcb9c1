# tests of src/proto
check_PROGRAMS += test_proto
test_proto_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_values.c \
	testing/unit/proto/test_fuzz_values.c \
	testing/unit/proto/test_iana.c \
	testing/unit/proto/test_id.c \
	testing/unit/proto/test_id_dn.c \
	testing/unit/proto/test_proposal.c \
	testing/unit/proto/test_proposal_select.c \
	testing/unit/proto/test_proto.c \
	testing/unit/proto/test_proto.h \
	testing/unit/proto/test_ts.c \
	testing/unit/proto/test_ts_algebra.c
test_proto_CFLAGS = $(test_cflags) -DFUZZ_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/values"'
test_proto_LDADD = $(test_ldadd)
