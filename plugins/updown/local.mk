# The variables are a library of their own, which the test links too.
updown_sources = plugins/updown/variables.c plugins/updown/variables.h
if PLUGIN_UPDOWN
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/updown/updown.c $(updown_sources)
else
plugin_LTLIBRARIES += bewick-updown.la
bewick_updown_la_SOURCES = plugins/updown/updown.c $(updown_sources)
bewick_updown_la_CFLAGS = $(AM_CFLAGS)
bewick_updown_la_LDFLAGS = $(plugin_ldflags)
bewick_updown_la_LIBADD = libbewick.la
endif
endif
EXTRA_DIST += plugins/updown/README.md
