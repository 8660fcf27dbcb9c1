# All but the descriptor is a library of its own, which tests and the benchmark link too.
kernel_netlink_sources = \
	plugins/kernel-netlink/algorithms.c \
	plugins/kernel-netlink/algorithms.h \
	plugins/kernel-netlink/backend.c \
	plugins/kernel-netlink/bypass.c \
	plugins/kernel-netlink/child.c \
	plugins/kernel-netlink/counters.c \
	plugins/kernel-netlink/events.c \
	plugins/kernel-netlink/fence.c \
	plugins/kernel-netlink/fence.h \
	plugins/kernel-netlink/iface.c \
	plugins/kernel-netlink/iface.h \
	plugins/kernel-netlink/internal.h \
	plugins/kernel-netlink/move.c \
	plugins/kernel-netlink/netlink.c \
	plugins/kernel-netlink/netlink.h \
	plugins/kernel-netlink/netlink_answer.c \
	plugins/kernel-netlink/netlink_inside.h \
	plugins/kernel-netlink/netlink_socket.c \
	plugins/kernel-netlink/owner.c \
	plugins/kernel-netlink/policies.h \
	plugins/kernel-netlink/policy.c \
	plugins/kernel-netlink/policy.h \
	plugins/kernel-netlink/policy_message.c \
	plugins/kernel-netlink/policy_message.h \
	plugins/kernel-netlink/policy_table.c \
	plugins/kernel-netlink/policy_table.h \
	plugins/kernel-netlink/probe.c \
	plugins/kernel-netlink/probe.h \
	plugins/kernel-netlink/resync.c \
	plugins/kernel-netlink/sa.c \
	plugins/kernel-netlink/sa.h \
	plugins/kernel-netlink/sa_message.c \
	plugins/kernel-netlink/service.c \
	plugins/kernel-netlink/sysctl.c \
	plugins/kernel-netlink/txn.c \
	plugins/kernel-netlink/txn.h \
	plugins/kernel-netlink/ways.c

EXTRA_LTLIBRARIES += libkernel-netlink.la
# automake cleans only what it always builds
CLEANFILES += libkernel-netlink.la
libkernel_netlink_la_SOURCES = $(kernel_netlink_sources)
libkernel_netlink_la_CFLAGS = $(AM_CFLAGS)
libkernel_netlink_la_LIBADD = $(MNL_LIBS)

if PLUGIN_KERNEL_NETLINK
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/kernel-netlink/plugin.c $(kernel_netlink_sources)
else
plugin_LTLIBRARIES += bewick-kernel-netlink.la
bewick_kernel_netlink_la_SOURCES = plugins/kernel-netlink/plugin.c
bewick_kernel_netlink_la_CFLAGS = $(AM_CFLAGS)
bewick_kernel_netlink_la_LDFLAGS = $(plugin_ldflags)
bewick_kernel_netlink_la_LIBADD = libkernel-netlink.la libbewick.la
endif
endif
EXTRA_DIST += plugins/kernel-netlink/README.md
