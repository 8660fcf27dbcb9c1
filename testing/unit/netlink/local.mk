check_PROGRAMS += test_netlink
test_netlink_SOURCES = \
	testing/unit/netlink/bench.c \
	testing/unit/netlink/fake.c \
	testing/unit/netlink/fake.h \
	testing/unit/netlink/fake_policies.c \
	testing/unit/netlink/test_backend.c \
	testing/unit/netlink/test_engine.c \
	testing/unit/netlink/test_main.c \
	testing/unit/netlink/test_message.c \
	testing/unit/netlink/test_move.c \
	testing/unit/netlink/test_netlink.h \
	testing/unit/netlink/test_policies.c \
	testing/unit/netlink/test_resync.c \
	testing/unit/netlink/test_selectors.c \
	testing/unit/netlink/test_txn.c
test_netlink_CFLAGS = $(test_cflags) -I$(srcdir)/plugins/kernel-netlink
test_netlink_LDADD = libkernel-netlink.la $(test_ldadd) $(MNL_LIBS)
