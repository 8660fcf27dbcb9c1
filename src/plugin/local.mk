libbewick_la_SOURCES += \
	src/plugin/attributes.c \
	src/plugin/attributes.h \
	src/plugin/hooks.c \
	src/plugin/hooks.h \
	src/plugin/loader.c \
	src/plugin/loader.h \
	src/plugin/plugin.h \
	src/plugin/static.c
