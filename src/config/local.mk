libbewick_la_SOURCES += \
	src/config/chunks.c \
	src/config/chunks.h \
	src/config/conn.c \
	src/config/conn.h \
	src/config/conn_counters.c \
	src/config/conn_counters.h \
	src/config/conn_index.c \
	src/config/conn_index.h \
	src/config/conn_parse.c \
	src/config/conn_rules.c \
	src/config/conn_rules.h \
	src/config/conn_values.c \
	src/config/psk_index.c \
	src/config/psk_index.h \
	src/config/settings.c \
	src/config/settings.h \
	src/config/settings_keys.c \
	src/config/settings_keys.h \
	src/config/store.c \
	src/config/store.h \
	src/config/tree.c \
	src/config/tree.h \
	src/config/tree_parse.c \
	src/config/tree_parse.h \
	src/config/tree_resolve.c \
	src/config/value.c \
	src/config/value.h
