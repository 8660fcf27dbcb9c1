# tests of src/sa by its parts; whole exchanges are in testing/exchange, whose two endpoints serve here too
check_PROGRAMS += test_sa
test_sa_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
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
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_fragment.c \
	testing/lib/swanctl_text.c \
	testing/lib/swanctl_text.h \
	testing/unit/sa/sa_test.h \
	testing/unit/sa/test_collision.c \
	testing/unit/sa/test_deadline.c \
	testing/unit/sa/test_fragment.c \
	testing/unit/sa/test_fuzz_fragment.c \
	testing/unit/sa/test_info.c \
	testing/unit/sa/test_main.c \
	testing/unit/sa/test_nat.c \
	testing/unit/sa/test_seal.c \
	testing/unit/sa/test_states.c \
	testing/unit/sa/test_window.c
test_sa_CFLAGS = $(test_cflags) -DFUZZ_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/fragment"'
test_sa_LDADD = $(test_ldadd)
