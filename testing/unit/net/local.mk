# tests of src/net
check_PROGRAMS += test_net
test_net_SOURCES = \
	testing/unit/net/support.c \
	testing/unit/net/support.h \
	testing/unit/net/test_main.c \
	testing/unit/net/test_open.c \
	testing/unit/net/test_receive.c \
	testing/unit/net/test_send.c \
	testing/unit/net/test_steer.c
test_net_CFLAGS = $(test_cflags)
test_net_LDADD = $(test_ldadd)
