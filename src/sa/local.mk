libbewick_la_SOURCES += \
	src/sa/child_sa.h \
	src/sa/child_sa_states.h \
	src/sa/exchange.h \
	src/sa/host.h \
	src/sa/ike_sa.h \
	src/sa/ike_sa_states.h \
	src/sa/info.h \
	src/sa/nat.h \
	src/sa/outcome.h \
	src/sa/seal.h \
	src/sa/task.h \
	src/sa/tasks/child_create.h \
	src/sa/tasks/tasks.h \
	src/sa/window.h
