# the proofs, questions and records of plugins/ipseckey
if PLUGIN_IPSECKEY
check_PROGRAMS += test_ipseckey
test_ipseckey_SOURCES = \
	$(ipseckey_sources) \
	testing/unit/ipseckey/ipseckey_test.h \
	testing/unit/ipseckey/signed_zone.c \
	testing/unit/ipseckey/test_anchors.c \
	testing/unit/ipseckey/test_chain.c \
	testing/unit/ipseckey/test_dns.c \
	testing/unit/ipseckey/test_main.c \
	testing/unit/ipseckey/test_record.c
test_ipseckey_CFLAGS = $(test_cflags) $(LDNS_CFLAGS)
test_ipseckey_LDADD = $(test_ldadd) $(LDNS_LIBS)
endif
