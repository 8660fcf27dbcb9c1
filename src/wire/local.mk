libbewick_la_SOURCES += \
	src/wire/builder.c \
	src/wire/builder.h \
	src/wire/describe.c \
	src/wire/header.c \
	src/wire/list_payloads.c \
	src/wire/message.h \
	src/wire/payloads.c \
	src/wire/payloads.h \
	src/wire/rules.c \
	src/wire/sa_payload.c
