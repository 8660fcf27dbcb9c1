# tests of src/config
check_PROGRAMS += test_config
test_config_SOURCES = \
	testing/fuzz/fuzz_settings.c \
	testing/unit/config/test_config.h \
	testing/unit/config/test_conn.c \
	testing/unit/config/test_cp_value.c \
	testing/unit/config/test_fuzz_corpus.c \
	testing/unit/config/test_main.c \
	testing/unit/config/test_scope.c \
	testing/unit/config/test_settings.c \
	testing/unit/config/test_store.c \
	testing/unit/config/test_tree.c \
	testing/unit/config/test_tree_parse.c \
	testing/unit/config/test_value.c
test_config_CFLAGS = $(test_cflags) -DCORPUS='"$(abs_srcdir)/testing/fuzz/corpus/settings"'
test_config_LDADD = $(test_ldadd)
