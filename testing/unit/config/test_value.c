/* SPDX-License-Identifier: Apache-2.0 */
#include "test_config.h"

#include "config/settings.h"
#include "config/value.h"

START_TEST(test_bool)
{
	static const char *const yes[] = { "yes", "true", "enabled", "1", "YES", "True", "eNabled" };
	static const char *const no[] = { "no", "false", "disabled", "0", "No", "FALSE", "Disabled" };
	static const char *const neither[] = { "", "2", "on", "off", "yes ", " yes", "y", "yess", "00", "01" };
	bool v;

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		v = false;
		ck_assert(value_bool(bytes_str(yes[i]), &v) && v);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		v = true;
		ck_assert(value_bool(bytes_str(no[i]), &v) && !v);
	}
	for (size_t i = 0; i < ARRAY_LEN(neither); i++)
		ck_assert_msg(!value_bool(bytes_str(neither[i]), &v), "%s", neither[i]);
}
END_TEST

START_TEST(test_int)
{
	static const struct {
		const char *text;
		int64_t value;
	} valid[] = {
		{ "0", 0 },       { "7", 7 },
		{ "0x1f", 31 },   { "0XFf", 255 },
		{ "010", 8 },     { "-1", -1 },
		{ "+5", 5 },      { "-0x10", -16 },
		{ "00", 0 },      { "9223372036854775807", INT64_MAX },
		{ "-0", 0 },      { "-9223372036854775808", INT64_MIN },
		{ "0777", 0777 }, { "0x7fffffffffffffff", INT64_MAX },
	};
	static const char *const invalid[] = {
		"",    " 1",  "1 ",  "a", "1a", "08", "0x", "x1", "--1", "1.0", "+", "-", "0xg", "1_0", "1e3",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616",
		"100000000000000000000000000000000000000", "0x10000000000000000",
	};

	for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
		int64_t v = 99;

		ck_assert_msg(value_int(bytes_str(valid[i].text), &v), "%s", valid[i].text);
		ck_assert_msg(v == valid[i].value, "%s gave %lld", valid[i].text, (long long)v);
	}
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
		int64_t v = 99;

		ck_assert_msg(!value_int(bytes_str(invalid[i]), &v), "%s", invalid[i]);
		ck_assert_int_eq(v, 99);
	}
}
END_TEST

START_TEST(test_time)
{
	static const struct {
		const char *text;
		uint64_t value;
	} valid[] = {
		{ "", 0 },         { "0", 0 },         { "30", 30 },       { "30s", 30 },   { "5m", 300 },
		{ "4h", 14400 },   { "1d", 86400 },    { "2D", 172800 },   { "3 \t h", 10800 },
		{ "0x10 m", 960 }, { "010s", 8 },      { "4H", 14400 },    { "1S", 1 },
		{ "9223372036854775", 9223372036854775 },
	};
	static const char *const invalid[] = {
		"1.5h", "30 ", "h", " 30", "30 s ", "30sec", "5w", "-1", "1hm", "30m30", "08",
		"9223372036854776", "18446744073709551615", "200000000000000d",
	};

	for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
		uint64_t v = 99;

		ck_assert_msg(value_time(bytes_str(valid[i].text), &v), "%s", valid[i].text);
		ck_assert_msg(v == valid[i].value, "%s gave %llu", valid[i].text, (unsigned long long)v);
	}
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
		uint64_t v = 99;

		ck_assert_msg(!value_time(bytes_str(invalid[i]), &v), "%s", invalid[i]);
	}
	ck_assert(!value_time(bytes_of("1\0", 2), &(uint64_t){ 0 }));
}
END_TEST

START_TEST(test_size)
{
	static const struct {
		const char *text;
		uint64_t value;
	} valid[] = {
		{ "0", 0 },
		{ "500000000", 500000000 },
		{ "1k", 1024 },
		{ "2 M", 2097152 },
		{ "3G", 3221225472 },
		{ "0x10k", 16384 },
		{ "18446744073709551615", UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX },
		{ "18014398509481984k", UINT64_MAX },
		{ "99999999999999999999999999g", UINT64_MAX },
	};
	static const char *const invalid[] = { "", "k", "1kb", "1t", "1 ", "1.5k", "-1", "1b", " 1" };

	for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
		uint64_t v = 99;

		ck_assert_msg(value_size(bytes_str(valid[i].text), &v), "%s", valid[i].text);
		ck_assert_msg(v == valid[i].value, "%s gave %llu", valid[i].text, (unsigned long long)v);
	}
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
		uint64_t v = 99;

		ck_assert_msg(!value_size(bytes_str(invalid[i]), &v), "%s", invalid[i]);
	}
}
END_TEST

START_TEST(test_double)
{
	static const char *const invalid[] = { "", "x", "1.5x", "nan", "inf", "0x10", "1e999", "1 ", " 1", "1.2.3", "." };
	double v = 0;

	ck_assert(value_double(bytes_str("1.8"), &v) && v == 1.8);
	ck_assert(value_double(bytes_str("4"), &v) && v == 4);
	ck_assert(value_double(bytes_str("-2.5e1"), &v) && v == -25);
	for (size_t i = 0; i < ARRAY_LEN(invalid); i++)
		ck_assert_msg(!value_double(bytes_str(invalid[i]), &v), "%s", invalid[i]);
	ck_assert(!value_double(bytes_of("1\0", 2), &v));
}
END_TEST

START_TEST(test_printable)
{
	ck_assert(value_is_printable(bytes_str("")));
	ck_assert(value_is_printable(bytes_str(" az~")));
	ck_assert(!value_is_printable(bytes_str("a\n")));
	ck_assert(!value_is_printable(bytes_str("\t")));
	ck_assert(!value_is_printable(bytes_str("\x7f")));
	ck_assert(!value_is_printable(bytes_str("\x80")));
	ck_assert(!value_is_printable(bytes_of("a\0b", 3)));
}
END_TEST

Suite *suite_value(void)
{
	Suite *s = suite_create("value");
	TCase *t = tcase_create("value");

	tcase_add_test(t, test_bool);
	tcase_add_test(t, test_int);
	tcase_add_test(t, test_time);
	tcase_add_test(t, test_size);
	tcase_add_test(t, test_double);
	tcase_add_test(t, test_printable);
	suite_add_tcase(s, t);
	return s;
}
