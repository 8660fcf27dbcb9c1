libbewick_la_SOURCES += \
	src/loop/helper.h \
	src/loop/loop.h \
	src/loop/mailbox.h \
	src/loop/wheel.h
