# All but the descriptor is linked into the test, too.
ipseckey_sources = \
	plugins/ipseckey/anchors.c \
	plugins/ipseckey/chain.c \
	plugins/ipseckey/chain.h \
	plugins/ipseckey/dns.c \
	plugins/ipseckey/dns.h \
	plugins/ipseckey/proven.c \
	plugins/ipseckey/proven.h \
	plugins/ipseckey/record.c \
	plugins/ipseckey/record.h \
	plugins/ipseckey/with_ldns.h
if PLUGIN_IPSECKEY
if STATIC_PLUGINS
libbewick_la_SOURCES += plugins/ipseckey/ipseckey.c $(ipseckey_sources)
libbewick_la_LIBADD += $(LDNS_LIBS)
else
plugin_LTLIBRARIES += bewick-ipseckey.la
bewick_ipseckey_la_SOURCES = plugins/ipseckey/ipseckey.c $(ipseckey_sources)
bewick_ipseckey_la_CFLAGS = $(AM_CFLAGS) $(LDNS_CFLAGS)
bewick_ipseckey_la_LDFLAGS = $(plugin_ldflags)
bewick_ipseckey_la_LIBADD = libbewick.la $(LDNS_LIBS)
endif
endif
EXTRA_DIST += plugins/ipseckey/README.md
