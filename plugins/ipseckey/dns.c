/* SPDX-License-Identifier: Apache-2.0 */
#include "dns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "loop/loop.h"
#include "proven.h"
#include "util/reader.h"

#define DNS_HEADER 12
#define DNS_TRUNCATED 0x0200
#define DNS_RESPONSE 0x8000

/* A question as it is sent. */
struct dns_question {
	const ldns_rdf *name;
	ldns_rr_type type;
	uint16_t id;
	uint8_t *wire;
	size_t size;
};

enum dns_answer {
	DNS_ANSWERED, /* there is a packet */
	DNS_CUT,      /* it is longer: by TCP */
	DNS_NEXT,     /* this server is of no use */
	DNS_END,      /* no time left, or nobody waits any more */
};

bool dns_servers_load(const char *file, struct addr *ret, size_t *ret_n, struct errtext *err)
{
	FILE *f = fopen(file, "re");
	char line[256], *save, *word;
	size_t n = 0;

	if (!f) {
		errtext_set(err, "name servers cannot be read from %s: %s", file, strerror(errno));
		return false;
	}
	while (n < DNS_SERVERS && fgets(line, sizeof(line), f)) {
		word = strtok_r(line, " \t\r\n", &save);
		if (!word || strcmp(word, "nameserver") != 0)
			continue;
		word = strtok_r(NULL, " \t\r\n", &save);
		if (word && addr_parse(bytes_str(word), &ret[n])) {
			ret[n].port = DNS_PORT;
			n++;
		}
	}
	fclose(f);
	if (!n) {
		(void)!addr_parse(bytes_str("127.0.0.1"), &ret[0]); /* resolv.conf(5) */
		ret[0].port = DNS_PORT;
		n = 1;
	}
	*ret_n = n;
	return true;
}

/* ---- questions and answers ---- */

static bool question_make(struct dns_question *q, const ldns_rdf *name, ldns_rr_type type)
{
	/* CD: what a validating server would hold back comes, too, so that the reason can be said (RFC 6840, 5.9) */
	ldns_pkt *pkt = ldns_pkt_query_new(ldns_rdf_clone(name), type, LDNS_RR_CLASS_IN, LDNS_RD | LDNS_CD);
	bool ok = false;

	*q = (struct dns_question){ .name = name, .type = type };
	if (!pkt)
		return false;
	if (getrandom(&q->id, sizeof(q->id), 0) == sizeof(q->id)) {
		ldns_pkt_set_id(pkt, q->id);
		ldns_pkt_set_edns_udp_size(pkt, DNS_UDP_SIZE);
		ldns_pkt_set_edns_do(pkt, true);
		ok = ldns_pkt2wire(&q->wire, pkt, &q->size) == LDNS_STATUS_OK;
	}
	ldns_pkt_free(pkt);
	return ok;
}

/* Looked at before it is parsed: whether it can be the answer, and how much it says is in it. */
static bool answer_fits(const struct dns_question *q, struct bytes wire, bool *ret_cut)
{
	struct reader r = reader_of(wire);
	uint16_t id = reader_u16(&r), flags = reader_u16(&r), questions = reader_u16(&r);
	unsigned records = reader_u16(&r);

	records += reader_u16(&r);
	records += reader_u16(&r);
	if (!reader_ok(&r) || id != q->id || !(flags & DNS_RESPONSE) || questions != 1)
		return false;
	*ret_cut = flags & DNS_TRUNCATED;
	return *ret_cut || records <= DNS_RECORDS;
}

/* The packet, if it is the answer to our question. */
static ldns_pkt *answer_parse(const struct dns_question *q, struct bytes wire)
{
	ldns_pkt *pkt = NULL;
	const ldns_rr *asked;

	if (ldns_wire2pkt(&pkt, wire.p, wire.n) != LDNS_STATUS_OK)
		return NULL;
	asked = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	if (asked && ldns_rr_get_type(asked) == q->type && ldns_rr_get_class(asked) == LDNS_RR_CLASS_IN &&
	    ldns_dname_compare(ldns_rr_owner(asked), q->name) == 0)
		return pkt;
	ldns_pkt_free(pkt);
	return NULL;
}

/* ---- waiting ---- */

/* DNS_ANSWERED: the socket is ready. until_ms: for this server. */
static enum dns_answer dns_wait(const struct dns_client *c, int fd, short events, uint64_t until_ms)
{
	struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = c->cancel_fd, .events = POLLIN } };
	uint64_t now = clock_monotonic_ms();
	uint64_t until = until_ms < c->deadline_ms ? until_ms : c->deadline_ms;
	int n = now >= until ? 0 : poll(fds, 2, (int)(until - now));

	if (n > 0 && (fds[1].revents & POLLIN))
		return DNS_END;
	if (n > 0)
		return DNS_ANSWERED;
	if (n < 0 && errno == EINTR)
		return dns_wait(c, fd, events, until_ms);
	return clock_monotonic_ms() >= c->deadline_ms ? DNS_END : DNS_NEXT;
}

static int dns_connect(const struct addr *server, int kind)
{
	struct sockaddr_storage sa;
	socklen_t n = addr_to_sockaddr(server, &sa);
	int fd = socket(server->family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, n) != 0 && errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- by UDP ---- */

static enum dns_answer dns_by_udp(const struct dns_client *c, const struct addr *server, const struct dns_question *q,
				  uint64_t until_ms, ldns_pkt **ret)
{
	int fd = dns_connect(server, SOCK_DGRAM);
	enum dns_answer answer = DNS_NEXT;
	uint8_t buf[DNS_UDP_SIZE + 1];

	if (fd < 0)
		return DNS_NEXT;
	if (send(fd, q->wire, q->size, 0) == (ssize_t)q->size) {
		while ((answer = dns_wait(c, fd, POLLIN, until_ms)) == DNS_ANSWERED) {
			ssize_t n = recv(fd, buf, sizeof(buf), 0);
			bool cut;

			if (n < 0 && errno != EAGAIN && errno != EINTR) {
				answer = DNS_NEXT; /* nobody is there */
				break;
			}
			/* what is not our answer changes nothing: anybody can send it */
			if (n <= 0 || n > DNS_UDP_SIZE || !answer_fits(q, bytes_of(buf, (size_t)n), &cut))
				continue;
			if (cut) {
				answer = DNS_CUT;
				break;
			}
			*ret = answer_parse(q, bytes_of(buf, (size_t)n));
			if (*ret)
				break;
		}
	}
	close(fd);
	return answer;
}

/* ---- by TCP ---- */

/* Reads or writes all of it. */
static enum dns_answer dns_transfer(const struct dns_client *c, int fd, uint8_t *p, size_t n, bool out, uint64_t until_ms)
{
	while (n) {
		enum dns_answer ready = dns_wait(c, fd, out ? POLLOUT : POLLIN, until_ms);
		ssize_t done;

		if (ready != DNS_ANSWERED)
			return ready;
		done = out ? send(fd, p, n, MSG_NOSIGNAL) : recv(fd, p, n, 0);
		if (done == 0 || (done < 0 && errno != EAGAIN && errno != EINTR))
			return DNS_NEXT;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return DNS_ANSWERED;
}

static enum dns_answer dns_by_tcp(const struct dns_client *c, const struct addr *server, const struct dns_question *q,
				  uint64_t until_ms, ldns_pkt **ret)
{
	int fd = dns_connect(server, SOCK_STREAM);
	uint8_t length[2] = { (uint8_t)(q->size >> 8), (uint8_t)q->size }, *buf = NULL;
	enum dns_answer answer;
	size_t size;
	bool cut;

	if (fd < 0)
		return DNS_NEXT;
	answer = dns_transfer(c, fd, length, sizeof(length), true, until_ms);
	if (answer == DNS_ANSWERED)
		answer = dns_transfer(c, fd, q->wire, q->size, true, until_ms);
	if (answer == DNS_ANSWERED)
		answer = dns_transfer(c, fd, length, sizeof(length), false, until_ms);
	size = (size_t)length[0] << 8 | length[1];
	if (answer == DNS_ANSWERED && (size < DNS_HEADER || size > DNS_TCP_SIZE))
		answer = DNS_NEXT;
	if (answer == DNS_ANSWERED) {
		buf = malloc(size);
		answer = buf ? dns_transfer(c, fd, buf, size, false, until_ms) : DNS_NEXT;
	}
	if (answer == DNS_ANSWERED) {
		*ret = answer_fits(q, bytes_of(buf, size), &cut) && !cut ? answer_parse(q, bytes_of(buf, size)) : NULL;
		answer = *ret ? DNS_ANSWERED : DNS_NEXT;
	}
	free(buf);
	close(fd);
	return answer;
}

/* ---- all servers ---- */

/* One server, once. An answer that is of no use (SERVFAIL, REFUSED ...) is freed. */
static enum dns_answer dns_try(const struct dns_client *c, const struct addr *server, const struct dns_question *q, unsigned round,
			       ldns_pkt **ret, struct errtext *err)
{
	uint64_t until = clock_monotonic_ms() + ((uint64_t)DNS_TRY_MS << round);
	enum dns_answer answer = dns_by_udp(c, server, q, until, ret);
	ldns_pkt_rcode rcode;

	if (answer == DNS_CUT)
		answer = dns_by_tcp(c, server, q, until, ret);
	if (answer != DNS_ANSWERED) {
		errtext_set(err, "no answer from the name server %s about %s", addr_format(server).s, dname_text(q->name).s);
		return answer;
	}
	rcode = ldns_pkt_get_rcode(*ret);
	if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN)
		return DNS_ANSWERED;
	errtext_set(err, "the name server %s cannot answer about %s (error %d)", addr_format(server).s, dname_text(q->name).s, (int)rcode);
	ldns_pkt_free(*ret);
	*ret = NULL;
	return DNS_NEXT;
}

ldns_pkt *dns_ask(void *arg, const ldns_rdf *name, ldns_rr_type type, struct errtext *err)
{
	const struct dns_client *c = arg;
	enum dns_answer answer = DNS_NEXT;
	struct dns_question q;
	ldns_pkt *pkt = NULL;

	if (!question_make(&q, name, type)) {
		errtext_set(err, "the question about %s cannot be made", dname_text(name).s);
		return NULL;
	}
	for (unsigned round = 0; round < DNS_ROUNDS && answer == DNS_NEXT; round++)
		for (size_t i = 0; i < c->n_servers && answer == DNS_NEXT; i++)
			answer = dns_try(c, &c->servers[i], &q, round, &pkt, err);
	free(q.wire);
	return answer == DNS_ANSWERED ? pkt : NULL;
}
