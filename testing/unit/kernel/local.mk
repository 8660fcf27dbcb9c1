check_PROGRAMS += test_kernel
test_kernel_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_flow.c \
	testing/unit/kernel/helpers.c \
	testing/unit/kernel/test_corpus.c \
	testing/unit/kernel/test_dataplane.c \
	testing/unit/kernel/test_esp.c \
	testing/unit/kernel/test_flow.c \
	testing/unit/kernel/test_guard.c \
	testing/unit/kernel/test_icmp.c \
	testing/unit/kernel/test_kernel.h \
	testing/unit/kernel/test_lanes.c \
	testing/unit/kernel/test_main.c \
	testing/unit/kernel/test_offload.c \
	testing/unit/kernel/test_pieces.c \
	testing/unit/kernel/test_policy.c \
	testing/unit/kernel/test_registry.c \
	testing/unit/kernel/test_replay.c \
	testing/unit/kernel/test_route.c \
	testing/unit/kernel/test_spi_pool.c \
	testing/unit/kernel/test_vip.c
test_kernel_CFLAGS = $(test_cflags) -I$(srcdir)/plugins/kernel-userland -DVECTORS='"$(srcdir)/testing/vectors"'
test_kernel_LDADD = libkernel-userland.la $(test_ldadd) $(MNL_LIBS)
EXTRA_DIST += testing/vectors/esp
