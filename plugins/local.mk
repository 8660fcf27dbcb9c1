include plugins/attr/local.mk
include plugins/bypass-lan/local.mk
include plugins/openssl/local.mk
include plugins/resolve/local.mk
include plugins/updown/local.mk
include plugins/kernel-null/local.mk
include plugins/kernel-netlink/local.mk
include plugins/kernel-userland/local.mk
