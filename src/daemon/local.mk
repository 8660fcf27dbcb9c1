sbin_PROGRAMS += bewickd
bewickd_SOURCES = src/daemon/main.c
bewickd_LDADD = libbewick.la
