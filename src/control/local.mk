# The tests link them with other workers.
control_sources = \
	src/control/client.c \
	src/control/cert_filter.c \
	src/control/cmd_algs.c \
	src/control/cmd_authorities.c \
	src/control/cmd_certs.c \
	src/control/cmd_conns.c \
	src/control/cmd_control.c \
	src/control/cmd_counters.c \
	src/control/cmd_creds.c \
	src/control/cmd_daemon.c \
	src/control/cmd_keys.c \
	src/control/cmd_list.c \
	src/control/cmd_list_certs.c \
	src/control/cmd_pools.c \
	src/control/cmd_rekey.c \
	src/control/cmd_sync.c \
	src/control/commands.c \
	src/control/conf_message.c \
	src/control/conn_message.c \
	src/control/control.h \
	src/control/events.c \
	src/control/hooks.c \
	src/control/initiate.c \
	src/control/internal.h \
	src/control/listen.c \
	src/control/load_policies.c \
	src/control/reinit.c \
	src/control/sa_message.c \
	src/control/server.c \
	src/control/start_actions.c \
	src/control/tokens.c \
	src/control/traps.c
libbewick_la_SOURCES += $(control_sources)
