libbewick_la_SOURCES += \
	src/util/addr.c \
	src/util/arena.c \
	src/util/bytes.c \
	src/util/file.c \
	src/util/file.h \
	src/util/hash.c \
	src/util/log.c \
	src/util/mem.c \
	src/util/result.c \
	src/util/secret.c \
	src/util/addr.h \
	src/util/arena.h \
	src/util/bytes.h \
	src/util/hash.h \
	src/util/list.h \
	src/util/log.h \
	src/util/mem.h \
	src/util/ratelimit.h \
	src/util/reader.h \
	src/util/result.h \
	src/util/secret.h \
	src/util/writer.h
