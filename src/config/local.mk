libbewick_la_SOURCES += \
	src/config/conn.h \
	src/config/settings.c \
	src/config/settings.h \
	src/config/settings_keys.c \
	src/config/settings_keys.h \
	src/config/store.h \
	src/config/tree.c \
	src/config/tree.h \
	src/config/tree_parse.c \
	src/config/tree_parse.h \
	src/config/tree_resolve.c \
	src/config/value.c \
	src/config/value.h
