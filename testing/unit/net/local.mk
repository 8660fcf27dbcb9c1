# tests of src/net
check_PROGRAMS += test_net
test_net_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/unit/net/support.c \
	testing/unit/net/support.h \
	testing/unit/net/test_main.c \
	testing/unit/net/test_open.c \
	testing/unit/net/test_receive.c \
	testing/unit/net/test_send.c \
	testing/unit/net/test_steer.c \
	testing/unit/net/test_tcp.c \
	testing/unit/net/test_tcp_frame.c \
	testing/unit/net/test_watch.c \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_tcp.c
test_net_CFLAGS = $(test_cflags) -I$(top_srcdir)/testing -DFUZZ_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/tcp"'
test_net_LDADD = $(test_ldadd)
