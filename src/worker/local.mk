libbewick_la_SOURCES += \
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
	src/worker/uniqueness.c \
	src/worker/unknown.c \
	src/worker/worker.c \
	src/worker/worker.h
