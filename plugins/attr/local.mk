if PLUGIN_ATTR
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/attr/attr.c
else
plugin_LTLIBRARIES += bewick-attr.la
bewick_attr_la_SOURCES = plugins/attr/attr.c
bewick_attr_la_CFLAGS = $(AM_CFLAGS)
bewick_attr_la_LDFLAGS = $(plugin_ldflags)
bewick_attr_la_LIBADD = libbewick.la
endif
endif
EXTRA_DIST += plugins/attr/README.md
