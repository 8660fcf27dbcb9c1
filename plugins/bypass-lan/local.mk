if PLUGIN_BYPASS_LAN
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/bypass-lan/bypass_lan.c
else
plugin_LTLIBRARIES += bewick-bypass-lan.la
bewick_bypass_lan_la_SOURCES = plugins/bypass-lan/bypass_lan.c
bewick_bypass_lan_la_CFLAGS = $(AM_CFLAGS)
bewick_bypass_lan_la_LDFLAGS = $(plugin_ldflags)
bewick_bypass_lan_la_LIBADD = libbewick.la
endif
endif
EXTRA_DIST += plugins/bypass-lan/README.md
