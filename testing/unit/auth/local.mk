# tests of src/auth, and of certificates (src/crypto), which are made by the same tools
check_PROGRAMS += test_auth
test_auth_SOURCES = testing/lib/corpus.c testing/lib/corpus.h \
	testing/unit/auth/auth_lab.c \
	testing/unit/auth/auth_lab.h \
	testing/fuzz/fuzz_cert.c \
	testing/unit/auth/auth_test.h \
	testing/unit/auth/pki.c \
	testing/unit/auth/pki_acert.c \
	testing/unit/auth/pki_acert.h \
	testing/unit/auth/pki.h \
	testing/unit/auth/pki_ocsp.c \
	testing/unit/auth/pki_ocsp.h \
	testing/unit/auth/test_acert.c \
	testing/unit/auth/test_acerts.c \
	testing/unit/auth/test_attacks.c \
	testing/unit/auth/test_auth_groups.c \
	testing/unit/auth/test_auth_chains.c \
	testing/unit/auth/test_auth_others.c \
	testing/unit/auth/test_auth_odd.c \
	testing/unit/auth/test_auth_service.c \
	testing/unit/auth/test_cert.c \
	testing/unit/auth/test_cert_cache.c \
	testing/unit/auth/test_cert_corpus.c \
	testing/unit/auth/test_crl.c \
	testing/unit/auth/test_main.c \
	testing/unit/auth/test_rfc5280.c \
	testing/unit/auth/test_revocation.c \
	testing/unit/auth/test_revocation_corpus.c \
	testing/unit/auth/test_sign_methods.c \
	testing/unit/auth/test_trust.c \
	testing/unit/auth/test_trust_names.c \
	testing/unit/auth/test_trust_paths.c \
	testing/unit/auth/trust_test.c
test_auth_CFLAGS = $(test_cflags) -DCERT_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/cert"' \
	-DREVOCATION_CORPUS='"$(abs_srcdir)/testing/fuzz/corpus/revocation"'
test_auth_LDADD = $(test_ldadd)
