# tests of src/daemon
check_PROGRAMS += test_daemon
test_daemon_SOURCES = \
	testing/lib/scratch.c testing/lib/scratch.h \
	testing/unit/daemon/daemon_test.h \
	testing/unit/daemon/test_files.c \
	testing/unit/daemon/test_log_writer.c \
	testing/unit/daemon/test_loggers.c \
	testing/unit/daemon/test_main.c \
	testing/unit/daemon/test_options.c \
	testing/unit/daemon/test_qcd.c \
	testing/unit/daemon/test_scripts.c \
	testing/unit/daemon/test_values.c
test_daemon_CFLAGS = $(test_cflags)
test_daemon_LDADD = libbewickd.la $(test_ldadd)
