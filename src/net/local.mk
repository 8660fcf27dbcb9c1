libbewick_la_SOURCES += \
	src/net/locals.c \
	src/net/locals.h \
	src/net/bypass.c \
	src/net/net.c \
	src/net/net.h \
	src/net/net_worker.h \
	src/net/own_address.c \
	src/net/receiver.c \
	src/net/route.c \
	src/net/sender.c \
	src/net/socket.c \
	src/net/socket.h \
	src/net/steer.c \
	src/net/steer.h \
	src/net/tcp.c \
	src/net/tcp.h \
	src/net/tcp_accept.c \
	src/net/tcp_frame.c \
	src/net/tcp_frame.h \
	src/net/tcp_stream.c \
	src/net/tcp_stream.h \
	src/net/tcp_stream_in.c \
	src/net/tcp_stream_out.c \
	src/net/watch.c \
	src/net/watch.h
