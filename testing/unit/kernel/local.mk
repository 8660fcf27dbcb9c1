check_PROGRAMS += test_kernel
test_kernel_SOURCES = \
	testing/unit/kernel/test_kernel.h \
	testing/unit/kernel/test_main.c \
	testing/unit/kernel/test_registry.c \
	testing/unit/kernel/test_spi_pool.c
test_kernel_CFLAGS = $(test_cflags)
test_kernel_LDADD = $(test_ldadd)
