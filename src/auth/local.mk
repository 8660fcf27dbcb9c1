libbewick_la_SOURCES += \
	src/auth/psk.c \
	src/auth/psk.h
