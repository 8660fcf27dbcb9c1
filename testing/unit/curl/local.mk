# tests of plugins/curl, with a server of their own
if PLUGIN_CURL
check_PROGRAMS += test_curl
test_curl_SOURCES = \
	plugins/curl/curl_file.c \
	plugins/curl/curl_thread.c \
	testing/unit/curl/server.c \
	testing/unit/curl/server.h \
	testing/unit/curl/test_curl.c
test_curl_CFLAGS = $(test_cflags) $(CURL_CFLAGS) -I$(srcdir)/plugins/curl
test_curl_LDADD = $(test_ldadd) $(CURL_LIBS)
endif
