libbewick_la_SOURCES += \
	src/auth/psk.h
