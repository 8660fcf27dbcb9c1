# Benchmarks: programs that print ratios; `make bench_ike` and run them by hand.
EXTRA_PROGRAMS += bench_ike
bench_ike_SOURCES = \
	testing/bench/bench.h \
	testing/bench/bench_certs.c \
	testing/bench/bench_ike.c \
	testing/bench/bench_many.c \
	testing/bench/bench_stuck.c \
	testing/bench/floor.c \
	testing/bench/floor.h \
	testing/bench/gateway.c \
	testing/bench/gateway.h \
	testing/bench/load.c \
	testing/bench/load.h \
	testing/bench/load_certs.c \
	testing/bench/load_inside.h \
	testing/bench/load_time.c \
	testing/lib/swanctl_text.c \
	testing/lib/swanctl_text.h
bench_ike_CFLAGS = $(AM_CFLAGS)
EXTRA_DIST += testing/bench/README.md testing/bench/bench_esp_beside.py
bench_ike_LDADD = libbewick.la $(OPENSSL_LIBS)

EXTRA_PROGRAMS += bench_crypto
bench_crypto_SOURCES = testing/bench/bench_crypto.c
bench_crypto_LDADD = libbewick.la

EXTRA_PROGRAMS += bench_esp
bench_esp_SOURCES = testing/bench/bench_esp.c
bench_esp_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS) -I$(srcdir)/plugins/kernel-userland
bench_esp_LDADD = libkernel-userland.la libbewick.la $(MNL_LIBS) $(OPENSSL_LIBS)

EXTRA_PROGRAMS += bench_xfrm
bench_xfrm_SOURCES = testing/bench/bench_xfrm.c
bench_xfrm_CFLAGS = $(AM_CFLAGS) -I$(srcdir)/plugins/kernel-netlink
bench_xfrm_LDADD = libkernel-netlink.la libbewick.la $(MNL_LIBS)
