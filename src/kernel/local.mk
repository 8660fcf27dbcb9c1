libbewick_la_SOURCES += \
	src/kernel/bypass.c \
	src/kernel/bypass.h \
	src/kernel/kernel.h \
	src/kernel/registry.c \
	src/kernel/route.c \
	src/kernel/route.h \
	src/kernel/rtnl.c \
	src/kernel/rtnl.h \
	src/kernel/rtnl_addr.c \
	src/kernel/rtnl_message.h \
	src/kernel/rtnl_monitor.c \
	src/kernel/selectors.c \
	src/kernel/selectors.h \
	src/kernel/spi_pool.c \
	src/kernel/spi_pool.h \
	src/kernel/vip.c \
	src/kernel/vip.h \
	src/kernel/xfrm_policy.c \
	src/kernel/xfrm_policy.h
