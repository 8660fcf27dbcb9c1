include plugins/openssl/local.mk
include plugins/kernel-null/local.mk
include plugins/kernel-netlink/local.mk
include plugins/kernel-userland/local.mk
