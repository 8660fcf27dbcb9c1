/* SPDX-License-Identifier: Apache-2.0 */
#include "net/steer.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include "proto/iana.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

/* Offsets in the header (RFC 7296, 3.1). */
#define OFF_SPI_I  0
#define OFF_SPI_R  8
#define OFF_FLAGS  19
#define MARKER_LEN 4

/* Of the IP header, and of the UDP header behind it (RFC 791, RFC 8200). */
#define OFF_IP	    (uint32_t)SKF_NET_OFF
#define OFF_SRC_V4  12
#define OFF_PORT_V4 20
#define OFF_SRC_V6  8
#define OFF_PORT_V6 40

/* SplitMix64: spreads the secret over the three numbers. */
static uint64_t steer_spread(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

struct steer steer_init(unsigned workers, unsigned esp_sockets, uint64_t secret)
{
	struct steer s = { .workers = workers ? workers : 1, .esp_sockets = esp_sockets };

	s.whiten = (uint32_t)steer_spread(&secret);
	s.mul1 = (uint32_t)steer_spread(&secret) | 1;
	s.mul2 = (uint32_t)steer_spread(&secret) | 1;
	return s;
}

/* Two rounds, because the low bits of a product do not depend on the high bits of its factors.
 * steer_emit_mix says the same in BPF. */
static uint32_t steer_mix(const struct steer *s, uint32_t v)
{
	v = (v ^ s->whiten) * s->mul1;
	v = (v ^ v >> 16) * s->mul2;
	return v >> 16;
}

unsigned steer_owner(const struct steer *s, uint64_t spi)
{
	return steer_mix(s, (uint32_t)spi) % s->workers;
}

unsigned steer_packet_owner(const struct steer *s, uint64_t spi_i, uint64_t spi_r, uint8_t flags)
{
	bool from_initiator = flags & IKE_FLAG_INITIATOR;

	return steer_owner(s, from_initiator && spi_r ? spi_r : spi_i);
}

static uint32_t steer_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

unsigned steer_esp_socket(const struct steer *s, const struct addr *remote)
{
	uint32_t v = remote->port * s->mul2;

	for (size_t i = 0; i < addr_len(remote); i += 4)
		v ^= steer_u32(remote->ip + i);
	return s->esp_sockets ? steer_mix(s, v) % s->esp_sockets : 0;
}

uint64_t steer_make_spi(const struct steer *s, unsigned worker, uint8_t segment,
			steer_random_fn *random, void *arg)
{
	uint64_t spi;

	do {
		random(arg, &spi, sizeof(spi));
		spi = (uint64_t)segment << 56 | spi >> 8;
	} while (spi == 0 || steer_owner(s, spi) != worker % s->workers);
	return spi;
}

struct emitter {
	struct sock_filter *code;
	size_t n;
};

static void emit_jump(struct emitter *e, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	e->code[e->n++] = (struct sock_filter){ op, jt, jf, k };
}

static void emit(struct emitter *e, uint16_t op, uint32_t k)
{
	emit_jump(e, op, k, 0, 0);
}

/* A = steer_mix(A) % count + first; return A */
static void steer_emit_mix(struct emitter *e, const struct steer *s, uint32_t count, uint32_t first)
{
	emit(e, BPF_ALU | BPF_XOR | BPF_K, s->whiten);
	emit(e, BPF_ALU | BPF_MUL | BPF_K, s->mul1);
	emit(e, BPF_MISC | BPF_TAX, 0);
	emit(e, BPF_ALU | BPF_RSH | BPF_K, 16);
	emit(e, BPF_ALU | BPF_XOR | BPF_X, 0);
	emit(e, BPF_ALU | BPF_MUL | BPF_K, s->mul2);
	emit(e, BPF_ALU | BPF_RSH | BPF_K, 16);
	emit(e, BPF_ALU | BPF_MOD | BPF_K, count);
	emit(e, BPF_ALU | BPF_ADD | BPF_K, first);
	emit(e, BPF_RET | BPF_A, 0);
}

/* steer_packet_owner over the bytes of a header that begins at `base`. */
static void steer_emit_ike(struct emitter *e, const struct steer *s, uint32_t base)
{
	emit(e, BPF_LD | BPF_B | BPF_ABS, base + OFF_FLAGS);
	emit_jump(e, BPF_JMP | BPF_JSET | BPF_K, IKE_FLAG_INITIATOR, 0, 7); /* else: spi_i */
	emit(e, BPF_LD | BPF_W | BPF_ABS, base + OFF_SPI_R);
	emit(e, BPF_MISC | BPF_TAX, 0);
	emit(e, BPF_LD | BPF_W | BPF_ABS, base + OFF_SPI_R + 4);
	emit(e, BPF_ALU | BPF_OR | BPF_X, 0);
	emit_jump(e, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0); /* zero: spi_i */
	emit(e, BPF_LD | BPF_W | BPF_ABS, base + OFF_SPI_R + 4);
	emit(e, BPF_JMP | BPF_JA, 1);
	emit(e, BPF_LD | BPF_W | BPF_ABS, base + OFF_SPI_I + 4);
	steer_emit_mix(e, s, s->workers, 0);
}

/* A ^= the word at k */
static void steer_emit_xor(struct emitter *e, uint32_t k)
{
	emit(e, BPF_MISC | BPF_TAX, 0);
	emit(e, BPF_LD | BPF_W | BPF_ABS, k);
	emit(e, BPF_ALU | BPF_XOR | BPF_X, 0);
}

/* steer_esp_socket over the IP and UDP headers. An IPv4 header with options, or IPv6 with extension headers: what stands in the place
 * of the port is always the same for a peer, or else only order suffers. */
static void steer_emit_esp(struct emitter *e, const struct steer *s)
{
	size_t v6;

	if (s->esp_sockets < 2) {
		emit(e, BPF_RET | BPF_K, s->esp_sockets ? s->workers : 0);
		return;
	}
	emit(e, BPF_LD | BPF_B | BPF_ABS, OFF_IP);
	emit(e, BPF_ALU | BPF_RSH | BPF_K, 4);
	v6 = e->n;
	emit_jump(e, BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 0);
	emit(e, BPF_LD | BPF_H | BPF_ABS, OFF_IP + OFF_PORT_V4);
	emit(e, BPF_ALU | BPF_MUL | BPF_K, s->mul2);
	steer_emit_xor(e, OFF_IP + OFF_SRC_V4);
	steer_emit_mix(e, s, s->esp_sockets, s->workers);
	e->code[v6].jt = (uint8_t)(e->n - v6 - 1);
	emit(e, BPF_LD | BPF_H | BPF_ABS, OFF_IP + OFF_PORT_V6);
	emit(e, BPF_ALU | BPF_MUL | BPF_K, s->mul2);
	for (uint32_t i = 0; i < 16; i += 4)
		steer_emit_xor(e, OFF_IP + OFF_SRC_V6 + i);
	steer_emit_mix(e, s, s->esp_sockets, s->workers);
}

/* In a program of a SO_REUSEPORT group offset 0 is the start of the UDP payload, the answer is the
 * index in the order of binding, and a load past the end ends the program with 0. */
size_t steer_program(const struct steer *s, bool natt, struct sock_filter *code)
{
	struct emitter e = { code, 0 };
	size_t branch;

	if (!natt) {
		steer_emit_ike(&e, s, 0);
		return e.n;
	}
	/* RFC 3948, 2.2: four zero bytes where ESP has its SPI */
	emit(&e, BPF_LD | BPF_W | BPF_ABS, 0);
	branch = e.n;
	emit_jump(&e, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0);
	steer_emit_esp(&e, s);
	code[branch].jt = (uint8_t)(e.n - branch - 1);
	steer_emit_ike(&e, s, MARKER_LEN);
	return e.n;
}

bool steer_attach(const struct steer *s, bool natt, int fd)
{
	struct sock_filter code[STEER_PROGRAM_MAX];
	struct sock_fprog program = { .filter = code };

	program.len = (unsigned short)steer_program(s, natt, code);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0;
}
