# All but main, so that tests can link it.
noinst_LTLIBRARIES += libbewickd.la
libbewickd_la_SOURCES = \
	src/daemon/auth.c \
	src/daemon/backend.c \
	src/daemon/bypass.c \
	src/daemon/daemon.h \
	src/daemon/file_logger.c \
	src/daemon/keys.c \
	src/daemon/log_writer.c \
	src/daemon/log_writer.h \
	src/daemon/logger.h \
	src/daemon/loggers.c \
	src/daemon/loggers.h \
	src/daemon/notify.c \
	src/daemon/options.c \
	src/daemon/options.h \
	src/daemon/pidfile.c \
	src/daemon/plugins.c \
	src/daemon/qcd.c \
	src/daemon/qcd.h \
	src/daemon/reload.c \
	src/daemon/roam.c \
	src/daemon/scripts.c \
	src/daemon/scripts.h \
	src/daemon/signals.c \
	src/daemon/startup.c \
	src/daemon/syslog_logger.c \
	src/daemon/values.c \
	src/daemon/values.h

sbin_PROGRAMS += bewickd
bewickd_SOURCES = src/daemon/main.c
bewickd_LDADD = libbewickd.la libbewick.la
