libbewick_la_SOURCES += \
	src/proto/iana.c \
	src/proto/iana.h \
	src/proto/iana_list.h \
	src/proto/id.c \
	src/proto/id.h \
	src/proto/id_dn.c \
	src/proto/id_dn.h \
	src/proto/id_dn_text.c \
	src/proto/id_gn.c \
	src/proto/id_gn.h \
	src/proto/id_parse.c \
	src/proto/ipsec.h \
	src/proto/limits.h \
	src/proto/proposal.c \
	src/proto/proposal.h \
	src/proto/proposal_keywords.c \
	src/proto/proposal_keywords.h \
	src/proto/proposal_parse.c \
	src/proto/ts.c \
	src/proto/ts.h \
	src/proto/ts_list.c \
	src/proto/ts_text.c
