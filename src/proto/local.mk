libbewick_la_SOURCES += \
	src/proto/iana.c \
	src/proto/iana.h \
	src/proto/iana_list.h \
	src/proto/id.h \
	src/proto/limits.h \
	src/proto/proposal.h \
	src/proto/ts.h
