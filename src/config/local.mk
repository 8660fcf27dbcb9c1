libbewick_la_SOURCES += \
	src/config/conn.h \
	src/config/settings.h \
	src/config/store.h \
	src/config/tree.h
