libbewick_la_SOURCES += \
	src/crypto/crypto.h \
	src/crypto/esp_crypt.h
