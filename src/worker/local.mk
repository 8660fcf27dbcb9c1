libbewick_la_SOURCES += \
	src/worker/worker.h
