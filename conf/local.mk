# The settings and an empty swanctl.conf are installed where there are none; examples of both always are.
examplesdir = $(docdir)/examples
dist_examples_DATA = conf/bewick.conf conf/swanctl.conf conf/examples/nftables.conf \
	conf/examples/roadwarrior-client.conf conf/examples/roadwarrior-gateway.conf
dist_examples_SCRIPTS = conf/examples/updown-nft

# --with-systemdsystemunitdir=DIR: the unit is installed there, else with the examples.
CLEANFILES += conf/bewickd.service
EXTRA_DIST += conf/bewickd.service.in
if WITH_UNIT
systemdsystemunitdir = $(unitdir)
nodist_systemdsystemunit_DATA = conf/bewickd.service
else
nodist_examples_DATA = conf/bewickd.service
endif

conf/bewickd.service: $(srcdir)/conf/bewickd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) conf && $(SED) -e 's|@sbindir[@]|$(sbindir)|' -e 's|@swanctl[@]|$(bindir)/swanctl|' \
		'$(srcdir)/conf/bewickd.service.in' >$@.tmp && mv $@.tmp $@

# Where swanctl looks for files, and where for files that are for their owner only.
swanctl_public = x509 x509ca x509ocsp x509aa x509ac x509crl pubkey
swanctl_private = conf.d private rsa ecdsa pkcs8 pkcs12

# swanctl.conf may come to hold secrets.
install-data-hook:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/swanctl'
	cd '$(DESTDIR)$(sysconfdir)/swanctl' && $(MKDIR_P) $(swanctl_public) && for dir in $(swanctl_private); do \
		test -d $$dir || mkdir -m 700 $$dir || exit 1; \
	done
	test -e '$(DESTDIR)$(sysconfdir)/bewick.conf' || \
		$(INSTALL) -m 644 '$(srcdir)/conf/bewick.conf' '$(DESTDIR)$(sysconfdir)/bewick.conf'
	test -e '$(DESTDIR)$(sysconfdir)/swanctl/swanctl.conf' || \
		$(INSTALL) -m 600 '$(srcdir)/conf/swanctl.conf' '$(DESTDIR)$(sysconfdir)/swanctl/swanctl.conf'

# What was edited is the administrator's and stays.
uninstall-hook:
	for file in bewick.conf swanctl/swanctl.conf; do \
		if cmp -s "$(srcdir)/conf/$${file##*/}" "$(DESTDIR)$(sysconfdir)/$$file"; then \
			rm -f "$(DESTDIR)$(sysconfdir)/$$file"; \
		fi; \
	done
	-cd '$(DESTDIR)$(sysconfdir)/swanctl' 2>/dev/null && rmdir $(swanctl_public) $(swanctl_private) 2>/dev/null; \
		rmdir '$(DESTDIR)$(sysconfdir)/swanctl' 2>/dev/null || :
