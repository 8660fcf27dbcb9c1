openssl_sources = \
	plugins/openssl/cbcmac.c \
	plugins/openssl/cipher.c \
	plugins/openssl/hmac.c \
	plugins/openssl/ke.c \
	plugins/openssl/openssl.c \
	plugins/openssl/openssl.h

if PLUGIN_OPENSSL
if STATIC_PLUGINS
libbewick_la_SOURCES += $(openssl_sources)
else
plugin_LTLIBRARIES += bewick-openssl.la
bewick_openssl_la_SOURCES = $(openssl_sources)
bewick_openssl_la_LDFLAGS = $(plugin_ldflags)
bewick_openssl_la_LIBADD = libbewick.la $(OPENSSL_LIBS)
endif
endif
EXTRA_DIST += plugins/openssl/README.md
