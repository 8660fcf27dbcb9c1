/* SPDX-License-Identifier: Apache-2.0 */
/* Names, numbers and times of certificates as text. */
#include "ctl/certs.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/x509.h>

#include "proto/id.h"

void put_dn(const char *label, const void *x509_name)
{
	unsigned char *der = NULL;
	int n = i2d_X509_NAME(x509_name, &der);
	struct id id = { ID_TYPE_DER_ASN1_DN, bytes_of(der, n > 0 ? (size_t)n : 0) };
	struct buf text = { 0 };

	id_format(&text, &id);
	printf("  %s \"%s\"\n", label, n > 0 ? buf_str(&text) : "");
	buf_free(&text);
	OPENSSL_free(der);
}

void put_hex(const char *label, const uint8_t *p, size_t n)
{
	printf("  %s ", label);
	for (size_t i = 0; i < n; i++)
		printf("%s%02x", i ? ":" : "", p[i]);
	putchar('\n');
}

void put_serial(const char *label, const void *asn1_integer)
{
	put_hex(label, ASN1_STRING_get0_data(asn1_integer), (size_t)ASN1_STRING_length(asn1_integer));
}

bool time_text(const void *asn1_time, bool utc, char *ret, size_t n, int64_t *ret_at)
{
	struct tm tm = { 0 };
	time_t at;

	if (!asn1_time || ASN1_TIME_to_tm(asn1_time, &tm) != 1)
		return false;
	at = timegm(&tm);
	if (utc ? !gmtime_r(&at, &tm) : !localtime_r(&at, &tm))
		return false;
	strftime(ret, n, utc ? "%b %d %H:%M:%S UTC %Y" : "%b %d %H:%M:%S %Y", &tm);
	*ret_at = at;
	return true;
}

/* In the largest unit of which there are more than two. */
static void put_duration(int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	int at = 0;

	while (at < 3 && seconds <= 2 * units[at].seconds)
		at++;
	seconds /= units[at].seconds;
	printf("%lld %s%s", (long long)seconds, units[at].name, seconds == 1 ? "" : "s");
}

void put_span(const struct cert_style *style, const char *label, const char *from, const char *to, const void *asn1_begin,
	      const void *asn1_end)
{
	int64_t now = time(NULL), begin, end;
	char text[64];

	printf("  %s", label);
	if (time_text(asn1_begin, style->utc, text, sizeof(text), &begin)) {
		printf("%s%s, ", from, text);
		if (begin > now) {
			fputs("not valid yet (valid in ", stdout);
			put_duration(begin - now);
			puts(")");
		} else {
			puts("ok");
		}
	} else {
		printf("%snot given\n", from);
	}
	printf("            %s", to);
	if (!time_text(asn1_end, style->utc, text, sizeof(text), &end)) {
		puts("not given");
		return;
	}
	printf("%s, %s", text, end < now ? "expired (" : "ok (expires in ");
	put_duration(end < now ? now - end : end - now);
	puts(end < now ? " ago)" : ")");
}
