# tests of parts of plugins/ that need no daemon
check_PROGRAMS += test_plugins
test_plugins_SOURCES = \
	testing/lib/scratch.c testing/lib/scratch.h \
	$(resolve_sources) \
	$(updown_sources) \
	testing/unit/plugins/plugins_test.h \
	testing/unit/plugins/test_main.c \
	testing/unit/plugins/test_resolv_file.c \
	testing/unit/plugins/test_variables.c
test_plugins_CFLAGS = $(test_cflags)
test_plugins_LDADD = $(test_ldadd)
