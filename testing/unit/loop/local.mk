# tests of src/loop
check_PROGRAMS += test_loop
test_loop_SOURCES = \
	testing/unit/loop/loop_test.h \
	testing/unit/loop/test_helper.c \
	testing/unit/loop/test_lanes.c \
	testing/unit/loop/test_loop.c \
	testing/unit/loop/test_mailbox.c \
	testing/unit/loop/test_main.c \
	testing/unit/loop/test_program.c \
	testing/unit/loop/test_thread.c \
	testing/unit/loop/test_wheel.c \
	testing/unit/loop/test_wheel_model.c
test_loop_CFLAGS = $(test_cflags)
test_loop_LDADD = $(test_ldadd)
