# tests of src/plugin; the modules are in a folder of their own, where no daemon looks for plugins
module_flags = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
check_LTLIBRARIES += \
	testing/unit/plugin/bewick-good.la \
	testing/unit/plugin/bewick-old.la \
	testing/unit/plugin/bewick-misnamed.la \
	testing/unit/plugin/bewick-incomplete.la \
	testing/unit/plugin/bewick-nothing.la
testing_unit_plugin_bewick_good_la_SOURCES = testing/unit/plugin/module.c
testing_unit_plugin_bewick_good_la_CPPFLAGS = $(AM_CPPFLAGS) -DMODULE_GOOD
testing_unit_plugin_bewick_good_la_LDFLAGS = $(module_flags)
testing_unit_plugin_bewick_old_la_SOURCES = testing/unit/plugin/module.c
testing_unit_plugin_bewick_old_la_CPPFLAGS = $(AM_CPPFLAGS) -DMODULE_OLD
testing_unit_plugin_bewick_old_la_LDFLAGS = $(module_flags)
testing_unit_plugin_bewick_misnamed_la_SOURCES = testing/unit/plugin/module.c
testing_unit_plugin_bewick_misnamed_la_CPPFLAGS = $(AM_CPPFLAGS) -DMODULE_MISNAMED
testing_unit_plugin_bewick_misnamed_la_LDFLAGS = $(module_flags)
testing_unit_plugin_bewick_incomplete_la_SOURCES = testing/unit/plugin/module.c
testing_unit_plugin_bewick_incomplete_la_CPPFLAGS = $(AM_CPPFLAGS) -DMODULE_INCOMPLETE
testing_unit_plugin_bewick_incomplete_la_LDFLAGS = $(module_flags)
testing_unit_plugin_bewick_nothing_la_SOURCES = testing/unit/plugin/module.c
testing_unit_plugin_bewick_nothing_la_CPPFLAGS = $(AM_CPPFLAGS) -DMODULE_NOTHING
testing_unit_plugin_bewick_nothing_la_LDFLAGS = $(module_flags)

check_PROGRAMS += test_plugin
test_plugin_SOURCES = testing/unit/plugin/test_loader.c testing/lib/scratch.c testing/lib/scratch.h
test_plugin_CFLAGS = $(test_cflags) -DMODULES='"$(abs_builddir)/testing/unit/plugin"'
test_plugin_LDADD = $(test_ldadd)
