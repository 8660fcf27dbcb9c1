libbewick_la_SOURCES += \
	src/kernel/kernel.h
