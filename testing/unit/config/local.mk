# tests of src/config
check_PROGRAMS += test_config
test_config_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/lib/scratch.c testing/lib/scratch.h \
	testing/fuzz/fuzz_settings.c \
	testing/unit/auth/pki.c \
	testing/unit/auth/pki.h \
	testing/unit/config/test_auth_rules.c \
	testing/unit/config/test_config.h \
	testing/unit/config/test_conn.c \
	testing/unit/config/test_conn_class.c \
	testing/unit/config/test_conn_round.c \
	testing/unit/config/test_cp_value.c \
	testing/unit/config/test_credentials.c \
	testing/unit/config/test_fuzz_corpus.c \
	testing/unit/config/test_main.c \
	testing/unit/config/test_pools.c \
	testing/unit/config/test_scope.c \
	testing/unit/config/test_settings.c \
	testing/unit/config/test_store.c \
	testing/unit/config/test_tree.c \
	testing/unit/config/test_tree_parse.c \
	testing/unit/config/test_value.c
test_config_CFLAGS = $(test_cflags) -I$(top_srcdir)/testing/unit/auth -DCORPUS='"$(abs_srcdir)/testing/fuzz/corpus/settings"'
test_config_LDADD = $(test_ldadd) $(OPENSSL_LIBS)
