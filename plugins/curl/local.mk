curl_sources = plugins/curl/curl.c plugins/curl/curl_file.c plugins/curl/curl_file.h plugins/curl/curl_thread.c plugins/curl/curl_thread.h
if PLUGIN_CURL
if STATIC_PLUGINS
libbewick_la_SOURCES += $(curl_sources)
libbewick_la_LIBADD += $(CURL_LIBS)
else
plugin_LTLIBRARIES += bewick-curl.la
bewick_curl_la_SOURCES = $(curl_sources)
bewick_curl_la_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
bewick_curl_la_LDFLAGS = $(plugin_ldflags)
bewick_curl_la_LIBADD = libbewick.la $(CURL_LIBS)
endif
endif
EXTRA_DIST += plugins/curl/README.md
