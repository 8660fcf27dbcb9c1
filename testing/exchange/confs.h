/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_CONFS_H
#define BEWICK_TESTING_EXCHANGE_CONFS_H

/* Configurations of the two endpoints; macros so that a test shows what it changes. */
#define CONF_SECRET "secrets { ike-1 { secret = \"a shared secret\" } }\n"

#define CONF_A_WITH(IKE, CHILDREN)                                                                 \
	"connections { net { version = 2\n local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n" IKE \
	"\n local { auth = psk\n id = a.test }\n remote { auth = psk\n id = b.test }\n"           \
	" children { " CHILDREN " } } }\n" CONF_SECRET
#define CONF_B_WITH(IKE, CHILDREN)                                                                 \
	"connections { net { version = 2\n local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n" IKE \
	"\n local { auth = psk\n id = b.test }\n remote { auth = psk\n id = a.test }\n"           \
	" children { " CHILDREN " } } }\n" CONF_SECRET

#define CONF_IKE "proposals = aes128gcm16-prfsha256-x25519"
#define CHILD_A(NAME, NUMBER, MORE)                                                                \
	NAME " { local_ts = 10." NUMBER ".1.0/24\n remote_ts = 10." NUMBER ".2.0/24\n" MORE " }\n"
#define CHILD_B(NAME, NUMBER, MORE)                                                                \
	NAME " { local_ts = 10." NUMBER ".2.0/24\n remote_ts = 10." NUMBER ".1.0/24\n" MORE " }\n"
#define ESP "esp_proposals = aes128gcm16-x25519"

#define CONF_A CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP))
#define CONF_B CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP))

#endif
