libbewick_la_SOURCES += \
	src/auth/auth_service.h \
	src/auth/fetch.c \
	src/auth/fetch.h \
	src/auth/psk.c \
	src/auth/psk.h \
	src/auth/trust.c \
	src/auth/trust.h \
	src/auth/trust_inside.h \
	src/auth/trust_path.c \
	src/auth/trust_verify.c
