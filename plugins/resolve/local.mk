# The file's text is a part of its own, which the test links too.
resolve_sources = plugins/resolve/file.c plugins/resolve/file.h
if PLUGIN_RESOLVE
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/resolve/resolve.c $(resolve_sources)
else
plugin_LTLIBRARIES += bewick-resolve.la
bewick_resolve_la_SOURCES = plugins/resolve/resolve.c $(resolve_sources)
bewick_resolve_la_CFLAGS = $(AM_CFLAGS)
bewick_resolve_la_LDFLAGS = $(plugin_ldflags)
bewick_resolve_la_LIBADD = libbewick.la
endif
endif
EXTRA_DIST += plugins/resolve/README.md
