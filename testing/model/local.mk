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

# Needs spin; runs.py says what is explored.
model: states_gen$(EXEEXT)
	$(PYTHON3) $(srcdir)/testing/model/runs.py diagrams
	$(PYTHON3) $(srcdir)/testing/model/runs.py check
	$(PYTHON3) $(srcdir)/testing/model/runs.py mutants

clean-local: clean-model
clean-model:
	rm -rf model

EXTRA_DIST += testing/model/README.md testing/model/bounds.h testing/model/peers.pml testing/model/runs.py \
	testing/model/setup.pml
PYTHON3 = /usr/bin/python3

.PHONY: diagrams model clean-model
