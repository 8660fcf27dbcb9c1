libbewick_la_SOURCES += \
	src/kernel/kernel.h \
	src/kernel/registry.c \
	src/kernel/spi_pool.c \
	src/kernel/spi_pool.h
