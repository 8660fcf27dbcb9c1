if PLUGIN_KERNEL_NULL
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/kernel-null/null.c
else
plugin_LTLIBRARIES += bewick-kernel-null.la
bewick_kernel_null_la_SOURCES = plugins/kernel-null/null.c
bewick_kernel_null_la_CFLAGS = $(AM_CFLAGS)
bewick_kernel_null_la_LDFLAGS = $(plugin_ldflags)
bewick_kernel_null_la_LIBADD = libbewick.la
endif
endif
EXTRA_DIST += plugins/kernel-null/README.md
