libbewick_la_SOURCES += \
	src/plugin/plugin.h
