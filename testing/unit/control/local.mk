# tests of src/control: its sources with workers that only play their part
check_PROGRAMS += test_control
test_control_SOURCES = \
	testing/lib/scratch.c testing/lib/scratch.h \
	$(control_sources) \
	testing/unit/auth/pki.c \
	testing/unit/auth/pki.h \
	testing/unit/control/control_test.h \
	testing/unit/control/fake_workers.c \
	testing/unit/control/lab.c \
	testing/unit/control/test_actions.c \
	testing/unit/control/test_clients.c \
	testing/unit/control/test_commands.c \
	testing/unit/control/test_counters.c \
	testing/unit/control/test_creds.c \
	testing/unit/control/test_events.c \
	testing/unit/control/test_hooks.c \
	testing/unit/control/test_initiate.c \
	testing/unit/control/test_load_policies.c \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_load.c \
	testing/lib/corpus.c \
	testing/lib/corpus.h \
	testing/unit/control/test_fuzz_load.c \
	testing/unit/control/test_loading.c \
	testing/unit/control/test_main.c \
	testing/unit/control/test_messages.c \
	testing/unit/control/test_pools.c \
	testing/unit/control/test_reinit.c \
	testing/unit/control/test_rekey.c \
	testing/unit/control/test_sync.c \
	testing/unit/control/test_tokens.c \
	testing/unit/control/test_traps.c \
	testing/unit/control/test_terminate.c
test_control_CFLAGS = $(test_cflags) -I$(top_srcdir)/testing/unit/auth -DLOAD_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/load"' -DVECTORS='"$(abs_srcdir)/testing/vectors"' -DMODULES='"$(abs_builddir)/testing/lib/.libs"'
test_control_LDADD = $(test_ldadd) $(OPENSSL_LIBS)
