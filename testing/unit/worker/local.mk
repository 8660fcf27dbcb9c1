# tests of src/worker: whole pools over loopback, with kernel-null
check_PROGRAMS += test_worker
test_worker_SOURCES = \
	testing/lib/swanctl_text.c \
	testing/lib/swanctl_text.h \
	testing/unit/auth/auth_lab.c \
	testing/unit/auth/auth_lab.h \
	testing/unit/auth/auth_test.h \
	testing/unit/auth/pki.c \
	testing/unit/auth/pki.h \
	testing/unit/worker/side.c \
	testing/unit/worker/side.h \
	testing/unit/worker/test_authentication.c \
	testing/unit/worker/test_limits.c \
	testing/unit/worker/test_main.c \
	testing/unit/worker/test_many.c \
	testing/unit/worker/test_pools.c \
	testing/unit/worker/test_rekey.c \
	testing/unit/worker/test_requests.c \
	testing/unit/worker/test_streams.c \
	testing/unit/worker/test_traps.c \
	testing/unit/worker/test_unknown.c
test_worker_CFLAGS = $(test_cflags) -I$(top_srcdir)/testing/unit/auth
test_worker_LDADD = $(test_ldadd) $(OPENSSL_LIBS)
