libbewick_la_SOURCES += \
	src/loop/helper.c \
	src/loop/loop.c \
	src/loop/mailbox.c \
	src/loop/wheel.c \
	src/loop/helper.h \
	src/loop/loop.h \
	src/loop/mailbox.h \
	src/loop/wheel.h
