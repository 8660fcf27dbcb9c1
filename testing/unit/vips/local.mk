# Virtual addresses on real links, in a network namespace: kernel-netlink with the XFRM of testing/unit/netlink's fake kernel.
check_PROGRAMS += test_vips
test_vips_SOURCES = \
	testing/unit/netlink/bench.c \
	testing/unit/netlink/fake.c \
	testing/unit/netlink/fake.h \
	testing/unit/netlink/fake_policies.c \
	testing/unit/netlink/test_netlink.h \
	testing/unit/vips/test_backend.c
test_vips_CFLAGS = $(test_cflags) -I$(srcdir)/plugins/kernel-netlink -I$(srcdir)/testing/unit/netlink
test_vips_LDADD = libkernel-netlink.la $(test_ldadd) $(MNL_LIBS)
