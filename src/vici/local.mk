libbewick_la_SOURCES += \
	src/vici/message.c \
	src/vici/message.h \
	src/vici/write.c

# The public client library: no libcrypto, nothing exported but its own functions.
lib_LTLIBRARIES += libbewick-vici.la
include_HEADERS += src/vici/bewick-vici.h
libbewick_vici_la_SOURCES = \
	src/util/bytes.c \
	src/util/mem.c \
	src/vici/bewick-vici.h \
	src/vici/client.c \
	src/vici/client_message.c \
	src/vici/client_private.h \
	src/vici/client_socket.c \
	src/vici/message.c \
	src/vici/write.c
libbewick_vici_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 \
	-export-symbols-regex '^bewick_vici_' -Wl,-Bsymbolic-functions $(BEWICK_NO_UNDEFINED)
