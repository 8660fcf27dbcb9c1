# All but the descriptor is a library of its own, which tests and the benchmark link too.
kernel_userland_sources = \
	plugins/kernel-userland/batch_in.c \
	plugins/kernel-userland/batch_out.c \
	plugins/kernel-userland/child.c \
	plugins/kernel-userland/checksum.c \
	plugins/kernel-userland/checksum.h \
	plugins/kernel-userland/child.h \
	plugins/kernel-userland/dataplane.c \
	plugins/kernel-userland/dataplane.h \
	plugins/kernel-userland/drop.h \
	plugins/kernel-userland/esp.c \
	plugins/kernel-userland/esp.h \
	plugins/kernel-userland/flow.c \
	plugins/kernel-userland/flow.h \
	plugins/kernel-userland/guard.c \
	plugins/kernel-userland/guard.h \
	plugins/kernel-userland/guard_mark.c \
	plugins/kernel-userland/guard_mark.h \
	plugins/kernel-userland/guard_table.c \
	plugins/kernel-userland/guard_table.h \
	plugins/kernel-userland/hold.c \
	plugins/kernel-userland/hold.h \
	plugins/kernel-userland/icmp.c \
	plugins/kernel-userland/icmp.h \
	plugins/kernel-userland/offload.c \
	plugins/kernel-userland/offload.h \
	plugins/kernel-userland/out_send.c \
	plugins/kernel-userland/out_send.h \
	plugins/kernel-userland/pmtu.c \
	plugins/kernel-userland/pmtu.h \
	plugins/kernel-userland/policy.c \
	plugins/kernel-userland/policy.h \
	plugins/kernel-userland/replay.c \
	plugins/kernel-userland/replay.h \
	plugins/kernel-userland/service.c \
	plugins/kernel-userland/shunt.c \
	plugins/kernel-userland/shunt.h \
	plugins/kernel-userland/tfc.c \
	plugins/kernel-userland/tfc.h \
	plugins/kernel-userland/tun.c \
	plugins/kernel-userland/tun.h \
	plugins/kernel-userland/tun_io.c \
	plugins/kernel-userland/tun_io.h \
	plugins/kernel-userland/userland.c \
	plugins/kernel-userland/userland.h

EXTRA_LTLIBRARIES += libkernel-userland.la
# automake cleans only what it always builds
CLEANFILES += libkernel-userland.la
libkernel_userland_la_SOURCES = $(kernel_userland_sources)
libkernel_userland_la_CFLAGS = $(AM_CFLAGS)
libkernel_userland_la_LIBADD = $(MNL_LIBS)

if PLUGIN_KERNEL_USERLAND
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/kernel-userland/plugin.c $(kernel_userland_sources)
else
plugin_LTLIBRARIES += bewick-kernel-userland.la
bewick_kernel_userland_la_SOURCES = plugins/kernel-userland/plugin.c
bewick_kernel_userland_la_CFLAGS = $(AM_CFLAGS)
bewick_kernel_userland_la_LDFLAGS = $(plugin_ldflags)
bewick_kernel_userland_la_LIBADD = libkernel-userland.la libbewick.la
endif
endif
EXTRA_DIST += plugins/kernel-userland/README.md
