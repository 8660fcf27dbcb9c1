libbewick_la_SOURCES += \
	src/wire/builder.h \
	src/wire/message.h
