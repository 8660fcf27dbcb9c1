bin_PROGRAMS += swanctl
swanctl_SOURCES = \
	src/ctl/call.c \
	src/ctl/certs.c \
	src/ctl/certs.h \
	src/ctl/certs_attributes.c \
	src/ctl/certs_fields.c \
	src/ctl/certs_status.c \
	src/ctl/certs_text.c \
	src/ctl/connect.c \
	src/ctl/conns.c \
	src/ctl/conns.h \
	src/ctl/control.c \
	src/ctl/ctl.h \
	src/ctl/daemon.c \
	src/ctl/list.c \
	src/ctl/load.c \
	src/ctl/load.h \
	src/ctl/load_build.c \
	src/ctl/load_creds.c \
	src/ctl/load_file.c \
	src/ctl/load_keys.c \
	src/ctl/load_names.c \
	src/ctl/load_secrets.c \
	src/ctl/main.c \
	src/ctl/options.c \
	src/ctl/print.c \
	src/ctl/sas.c
swanctl_LDADD = libbewick-vici.la libbewick.la $(OPENSSL_LIBS)
