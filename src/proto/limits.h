/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_LIMITS_H
#define BEWICK_PROTO_LIMITS_H

/* Every bound on what a peer, a file or a client can make us hold or do. */

/* wire */
#define LIMIT_DATAGRAM 65535          /* bytes of one UDP datagram */
#define LIMIT_MESSAGE 65535           /* bytes of one IKE message, also after reassembly */
#define LIMIT_FRAGMENTS 512           /* fragments of one IKE message (RFC 7383) */
#define LIMIT_FRAGMENT_SIZE_MIN 256   /* bytes of an IP datagram, the smallest that settings or a peer make us cut to */
#define LIMIT_FRAGMENTS_MS 30000      /* how long an incomplete request is kept */
#define LIMIT_PAYLOADS 128            /* payloads in one message */
#define LIMIT_PROPOSALS 64            /* proposals in one SA payload */
#define LIMIT_TRANSFORMS 255          /* transforms in one proposal (a count byte) */
#define LIMIT_TRANSFORM_ATTRS 8       /* attributes of one transform */
#define LIMIT_SELECTORS 255           /* selectors in one TS payload (a count byte) */
#define LIMIT_DELETE_SPIS 1024        /* SPIs in one Delete payload */
#define LIMIT_CP_ATTRS 128            /* attributes in one CP payload */
#define LIMIT_CP_KEPT 32              /* attributes that a gateway gave us, or that we give */
#define LIMIT_VIPS 8                  /* virtual addresses of one IKE_SA */
#define LIMIT_LEASES_OFFLINE 131072   /* clients of a pool that are remembered when they have gone */
#define LIMIT_POOL_SIZE 2147483646    /* addresses of one pool: of larger nets the first ones */
#define LIMIT_CP_VALUE 255            /* bytes of each that we keep */
#define LIMIT_NONCE_MIN 16            /* RFC 7296, 3.9 */
#define LIMIT_NONCE_MAX 256
#define LIMIT_COOKIE 64               /* RFC 7296, 2.6 */
#define LIMIT_ID 1024                 /* bytes of an identity */

/* certificates */
#define LIMIT_CERT 32768              /* bytes of one, DER */
#define LIMIT_CERT_EXTENSIONS 64
#define LIMIT_CERT_NAMES 128          /* subjectAltNames of one */
#define LIMIT_CERT_URIS 16            /* of each kind */
#define LIMIT_CERT_POLICIES 64
#define LIMIT_URI 1024                /* bytes of one */
#define LIMIT_CRL (64u << 20)         /* bytes of one, DER */
#define LIMIT_ACERT 16384             /* bytes of an attribute certificate, DER */
#define LIMIT_ACERT_ATTRIBUTES 64     /* of one */
#define LIMIT_ACERT_GROUPS 256        /* of one */
#define LIMIT_ACERT_NAMES 16          /* of its holder; as many servers that it is for */
#define LIMIT_ACERTS_BYTES 24576      /* of those that are sent, together */
#define LIMIT_ACERTS 8                /* of one certificate: that are sent, looked at of a peer's, and of those that are loaded */

/* TCP (RFC 9329) */
#define LIMIT_STREAMS 4096               /* connections that peers hold open */
#define LIMIT_STREAMS_WAITING 512        /* of these without an SA */
#define LIMIT_STREAMS_SOURCE 1024        /* of one address */
#define LIMIT_STREAMS_SOURCE_WAITING 32  /* of one address without an SA */
#define LIMIT_STREAM_WAIT_MS 10000       /* a connection without an SA is closed after that */
#define LIMIT_STREAM_BAD 1024            /* messages in a row that are nothing: the connection is closed */
#define LIMIT_STREAM_ESP (256u << 10)    /* bytes that wait in one stream: beyond that ESP is dropped, */
#define LIMIT_STREAM_IKE (1u << 20)      /* and beyond that all: the peer does not read */
#define LIMIT_STREAM_MAIL (8u << 20)     /* bytes of ESP on their way to the thread of the streams */
#define LIMIT_STREAM_INPUT (4u << 20)    /* bytes of IKE from streams that wait for one worker */

/* negotiation */
#define LIMIT_COOKIE_ROUNDS 3         /* COOKIE answers obeyed for one IKE_SA_INIT */
#define LIMIT_INVALID_KE_ROUNDS 5     /* INVALID_KE_PAYLOAD answers obeyed in one exchange */
#define LIMIT_RETRY_MIN_MS 2000       /* TEMPORARY_FAILURE: before the same is asked again */
#define LIMIT_RETRY_MAX_MS 6000
#define LIMIT_RESOLVED 8              /* addresses of one name that are tried */
#define LIMIT_REAUTH_MIN_MS 1000      /* an IKE_SA is at least so old when RFC 4478 has it authenticated again */
#define LIMIT_REAUTH_GRACE_MS 10000   /* at least so long after it was due the old IKE_SA stays for the new one */
#define LIMIT_OVERLAP_OUT_MS 1000     /* a responder sends on the old CHILD_SA for so long when the peer may be reauthenticating, */
#define LIMIT_OVERLAP_OUT_MAX_MS 5000 /* and for so long if the peer does not send on the new one */
#define LIMIT_OVERLAP_MS 2000         /* the reauthenticated one is closed so long after the new one has its children */
#define LIMIT_REAUTH_RETRY_MS 2000    /* first pause after a failed reauthentication; doubled each time */
#define LIMIT_REAUTH_RETRY_MAX_MS 60000
#define LIMIT_HINT_MS 5000            /* what is not authenticated makes us ask an IKE_SA's peer at most so often */
#define LIMIT_QCD_TOKENS 8            /* tokens of one message that are looked at (RFC 6290, 4.5: at least 4) */
#define LIMIT_REKEY_WAIT_MIN_MS 10000  /* a refused rekeying of an IKE_SA: before the next attempt, doubled each time */
#define LIMIT_REKEY_WAIT_MAX_MS 320000
#define LIMIT_TEMPORARY_MS 300000     /* TEMPORARY_FAILURE for so long is a refusal like any other */
#define LIMIT_REDUNDANT_MS 6000       /* above the first retransmit: the peer's time to close a redundant successor before we close the old IKE_SA */
#define LIMIT_REKEYED_MS 30000        /* the peer's time to close an IKE_SA that it replaced */
#define LIMIT_TEMPORARY_TRIES 30      /* times that TEMPORARY_FAILURE is answered by asking again: about two minutes */
#define LIMIT_REKEY_RETRY_MS 5000     /* after a refused rekeying of a CHILD_SA: the first wait, the next are longer */
#define LIMIT_REKEY_RETRY_MAX_MS 600000
#define LIMIT_REKEY_RETRY_MIN_MS 500  /* and no attempt when the hard limit is closer than twice that */
#define LIMIT_REPLACED_MS 300000      /* a peer that rekeyed a CHILD_SA has so long to delete the old one */
#define LIMIT_BACKEND_MS 20000        /* an IPsec backend has so long to answer; less than the half-open limit of peers */
#define LIMIT_AUTH_MS 18000           /* signing, or checking certificates with all that has to be fetched; less than the former */
#define LIMIT_IDLE_LOOK_MS 1000       /* before an idle CHILD_SA is closed the backend has so long to look for traffic */
#define LIMIT_CHILDREN 4096           /* CHILD_SAs of one IKE_SA */
#define LIMIT_WINDOW 1                /* our own window; larger ones of the peer are used up to this */
#define LIMIT_MOBIKE_ADDRS 16         /* additional addresses that are told to a peer, or kept of one (RFC 4555, 3.4) */
#define LIMIT_MOBIKE_PATIENCE_MS 300000 /* after a move that was not confirmed the peer is not given up for so long (RFC 4555, 3.11) */
#define LIMIT_MOBIKE_PATHS 32         /* pairs of addresses that one request is tried on */
#define LIMIT_MOBIKE_TRIES 5          /* times that UNACCEPTABLE_ADDRESSES or UNEXPECTED_NAT_DETECTED is answered by asking again */

/* control socket */
/* LIMIT_VICI_SEGMENT and LIMIT_VICI_DEPTH: vici/message.h, the public client library knows no proto */
#define LIMIT_VICI_CLIENTS 1024
#define LIMIT_VICI_QUEUE (16u << 20)  /* bytes of output a client may leave unread */

/* settings */
#define LIMIT_CONF_DEPTH 64
#define LIMIT_CONF_INCLUDE_DEPTH 10
#define LIMIT_CONF_FILE (64u << 20)

#endif
