# tests of src/util
check_PROGRAMS += test_util
test_util_SOURCES = \
	testing/unit/util/test_addr.c \
	testing/unit/util/test_arena.c \
	testing/unit/util/test_bytes.c \
	testing/unit/util/test_cursor.c \
	testing/unit/util/test_encoding.c \
	testing/unit/util/test_hash.c \
	testing/unit/util/test_log.c \
	testing/unit/util/test_main.c \
	testing/unit/util/test_mem.c \
	testing/unit/util/test_ratelimit.c \
	testing/unit/util/test_secret.c \
	testing/unit/util/test_util.h
test_util_CFLAGS = $(test_cflags)
test_util_LDADD = $(test_ldadd)
