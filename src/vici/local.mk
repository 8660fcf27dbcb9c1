libbewick_la_SOURCES += \
	src/vici/message.c \
	src/vici/message.h \
	src/vici/write.c
