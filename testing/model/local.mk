# What the tables of states say, drawn and explored; see testing/model/README.md.
EXTRA_PROGRAMS += states_gen
states_gen_SOURCES = testing/model/states_gen.c
states_gen_LDADD = libbewick.la
CLEANFILES += states_gen$(EXEEXT)

diagrams_dot = $(srcdir)/doc/ike_sa_states.dot $(srcdir)/doc/child_sa_states.dot
diagrams_svg = $(srcdir)/doc/ike_sa_states.svg $(srcdir)/doc/child_sa_states.svg
EXTRA_DIST += doc/ike_sa_states.dot doc/child_sa_states.dot doc/ike_sa_states.svg doc/child_sa_states.svg

# The diagrams are kept: this writes them anew (needs graphviz).
diagrams: states_gen$(EXEEXT)
	./states_gen ike.dot > $(srcdir)/doc/ike_sa_states.dot
	./states_gen child.dot > $(srcdir)/doc/child_sa_states.dot
	for dot in $(diagrams_dot); do dot -Tsvg -o "$${dot%.dot}.svg" "$$dot" || exit 1; done

.PHONY: diagrams
