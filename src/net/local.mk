libbewick_la_SOURCES += \
	src/net/net.h \
	src/net/steer.h
