# a PKCS#11 module for tests
check_LTLIBRARIES += testing/lib/token-mock.la
testing_lib_token_mock_la_SOURCES = testing/lib/token_mock.c testing/lib/token_mock.h
testing_lib_token_mock_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
testing_lib_token_mock_la_LIBADD = $(OPENSSL_LIBS)

# tests of src/crypto, with the plugin openssl
if PLUGIN_OPENSSL
check_PROGRAMS += test_crypto
test_crypto_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/fuzz/fuzz.h \
	testing/fuzz/fuzz_keys.c \
	testing/unit/crypto/crypto_test.c \
	testing/unit/crypto/crypto_test.h \
	testing/unit/crypto/key_test.h \
	testing/unit/crypto/test_cipher.c \
	testing/unit/crypto/test_ctx.c \
	testing/unit/crypto/test_esp_crypt.c \
	testing/unit/crypto/test_fuzz_keys.c \
	testing/unit/crypto/test_kat.c \
	testing/unit/crypto/test_ke.c \
	testing/unit/crypto/test_key.c \
	testing/unit/crypto/test_key_bad.c \
	testing/unit/crypto/test_keys.c \
	testing/unit/crypto/test_mac.c \
	testing/unit/crypto/test_protect.c \
	testing/unit/crypto/test_registry.c \
	testing/unit/crypto/test_signature.c \
	testing/unit/crypto/test_signature_bad.c \
	testing/unit/crypto/test_signer.c \
	testing/unit/crypto/test_token.c \
	testing/unit/crypto/test_token_mock.c \
	testing/lib/token_mock.h
test_crypto_CFLAGS = $(test_cflags) -DFUZZ_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/keys"' -DVECTORS='"$(abs_srcdir)/testing/vectors/crypto"' -DPLUGINS='"$(abs_builddir)"' -DMODULES='"$(abs_builddir)/testing/lib/.libs"'
test_crypto_LDADD = $(test_ldadd)
endif
EXTRA_DIST += testing/vectors/crypto
