if PLUGIN_OPENSSL
plugin_LTLIBRARIES += bewick-openssl.la
bewick_openssl_la_SOURCES = \
	plugins/openssl/cbcmac.c \
	plugins/openssl/cipher.c \
	plugins/openssl/hmac.c \
	plugins/openssl/ke.c \
	plugins/openssl/openssl.c \
	plugins/openssl/openssl.h
bewick_openssl_la_LDFLAGS = $(plugin_ldflags)
bewick_openssl_la_LIBADD = libbewick.la $(OPENSSL_LIBS)
endif
