# The settings and an empty swanctl.conf are installed where there are none; examples of both always are.
examplesdir = $(docdir)/examples
dist_examples_DATA = conf/bewick.conf conf/swanctl.conf

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

# swanctl.conf may come to hold secrets: for its owner only.
install-data-hook:
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/swanctl'
	test -d '$(DESTDIR)$(sysconfdir)/swanctl/conf.d' || \
		$(INSTALL) -d -m 700 '$(DESTDIR)$(sysconfdir)/swanctl/conf.d'
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
	-rmdir '$(DESTDIR)$(sysconfdir)/swanctl/conf.d' '$(DESTDIR)$(sysconfdir)/swanctl' 2>/dev/null || :
