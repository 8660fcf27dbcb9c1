libbewick_la_SOURCES += \
	src/loop/helper.c \
	src/loop/lanes.c \
	src/loop/loop.c \
	src/loop/mailbox.c \
	src/loop/program.c \
	src/loop/thread.c \
	src/loop/wheel.c \
	src/loop/helper.h \
	src/loop/lanes.h \
	src/loop/loop.h \
	src/loop/mailbox.h \
	src/loop/program.h \
	src/loop/thread.h \
	src/loop/wheel.h
