libbewick_la_SOURCES += \
	src/crypto/cert.h \
	src/crypto/crypto.h \
	src/crypto/ctx.c \
	src/crypto/ctx.h \
	src/crypto/esp_crypt.c \
	src/crypto/esp_crypt.h \
	src/crypto/kat.c \
	src/crypto/kat_vectors.c \
	src/crypto/kat_vectors.h \
	src/crypto/key.h \
	src/crypto/keys.c \
	src/crypto/prf.c \
	src/crypto/protect.c \
	src/crypto/registry.c \
	src/crypto/registry.h \
	src/crypto/signature.h \
	src/crypto/signer.h
