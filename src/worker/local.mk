libbewick_la_SOURCES += \
	src/worker/authentication.c \
	src/worker/cookie.c \
	src/worker/dispatch.c \
	src/worker/half_open.c \
	src/worker/host.c \
	src/worker/internal.h \
	src/worker/pool.c \
	src/worker/request_act.c \
	src/worker/requests.c \
	src/worker/roam.c \
	src/worker/sa_table.c \
	src/worker/trap.c \
	src/worker/trap.h \
	src/worker/trap_acquire.c \
	src/worker/trap_gone.c \
	src/worker/trap_install.c \
	src/worker/trap_reqids.c \
	src/worker/trap_table.h \
	src/worker/stream.c \
	src/worker/uniqueness.c \
	src/worker/unknown.c \
	src/worker/worker.c \
	src/worker/worker.h
