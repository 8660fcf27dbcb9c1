libbewick_la_SOURCES += \
	src/plugin/loader.c \
	src/plugin/loader.h \
	src/plugin/plugin.h \
	src/plugin/static.c
