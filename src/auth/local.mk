libbewick_la_SOURCES += \
	src/auth/auth_inside.h \
	src/auth/auth_service.c \
	src/auth/auth_service.h \
	src/auth/auth_sign.c \
	src/auth/auth_store.c \
	src/auth/auth_store.h \
	src/auth/auth_verify.c \
	src/auth/auth_wait.c \
	src/auth/cert_url.c \
	src/auth/cert_url.h \
	src/auth/fetch.c \
	src/auth/fetch.h \
	src/auth/psk.c \
	src/auth/psk.h \
	src/auth/revocation.c \
	src/auth/revocation.h \
	src/auth/revocation_cache.c \
	src/auth/revocation_crl.c \
	src/auth/revocation_inside.h \
	src/auth/revocation_ocsp.c \
	src/auth/signed_octets.c \
	src/auth/signed_octets.h \
	src/auth/trust.c \
	src/auth/trust.h \
	src/auth/trust_inside.h \
	src/auth/trust_path.c \
	src/auth/trust_verify.c
