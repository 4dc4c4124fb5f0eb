/* SPDX-License-Identifier: Apache-2.0
 *
 * time.c - Timestamp and Duration as JSON writes them
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "transcode/scalar.h"

#define NANOS 1000000000

/**
 * struct reader - Text that is read from the left
 */
struct reader {
	const char *at;
	const char *end;
};

/**
 * take_digits() - Read a number of digits
 * @in:		Moved behind them
 * @n:		How many
 * @ret:	The number
 *
 * Return: false if there are not so many.
 */
static bool take_digits(struct reader *in, size_t n, int *ret)
{
	int value = 0;

	if ((size_t)(in->end - in->at) < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (in->at[i] < '0' || in->at[i] > '9')
			return false;
		value = value * 10 + (in->at[i] - '0');
	}
	in->at += n;
	*ret = value;
	return true;
}

/* take_char() - Read one character that must be there. */
static bool take_char(struct reader *in, char c)
{
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

/**
 * take_fraction() - Read a point and one to nine digits, if they are there
 * @in:		Moved behind them
 * @ret:	Nanoseconds
 *
 * Return: false if the digits are none or too many.
 */
static bool take_fraction(struct reader *in, int32_t *ret)
{
	int32_t nanos = 0, digit = NANOS;

	*ret = 0;
	if (!take_char(in, '.'))
		return true;
	while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
		digit /= 10;
		if (!digit)
			return false;
		nanos += (*in->at - '0') * digit;
		in->at++;
	}
	*ret = nanos;
	return digit != NANOS;
}

/**
 * days_of() - Days from 1970-01-01 to a date of the Gregorian calendar
 * @year:	1 to 9999
 * @month:	1 to 12
 * @day:	1 to 31
 */
static int64_t days_of(int year, int month, int day)
{
	/* A year that begins in March has its odd day at the end. */
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	       1 - 719468;
}

/* days_in() - How many days a month has. */
static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (leap && month == 2);
}

/**
 * take_offset() - Read Z, or the distance from UTC
 * @in:		Moved behind it
 * @ret:	Seconds
 */
static bool take_offset(struct reader *in, int64_t *ret)
{
	int hours, minutes;
	bool negative;

	*ret = 0;
	if (take_char(in, 'Z'))
		return true;
	negative = take_char(in, '-');
	if (!negative && !take_char(in, '+'))
		return false;
	if (!take_digits(in, 2, &hours) || !take_char(in, ':') ||
	    !take_digits(in, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret = hours * 3600 + minutes * 60;
	if (negative)
		*ret = -*ret;
	return true;
}

/* timestamp_read() - Read RFC 3339 */
int timestamp_read(const char *text, size_t size, int64_t *ret_seconds,
		   int32_t *ret_nanos)
{
	struct reader in = { text, text + size };
	int year, month, day, hour, minute, second;
	int64_t offset, seconds;
	int32_t nanos;

	if (!take_digits(&in, 4, &year) || !take_char(&in, '-') ||
	    !take_digits(&in, 2, &month) || !take_char(&in, '-') ||
	    !take_digits(&in, 2, &day) || !take_char(&in, 'T') ||
	    !take_digits(&in, 2, &hour) || !take_char(&in, ':') ||
	    !take_digits(&in, 2, &minute) || !take_char(&in, ':') ||
	    !take_digits(&in, 2, &second) || !take_fraction(&in, &nanos) ||
	    !take_offset(&in, &offset) || in.at != in.end)
		return -EINVAL;
	if (year < 1 || month < 1 || month > 12 || day < 1 ||
	    day > days_in(year, month) || hour > 23 || minute > 59 ||
	    second > 59)
		return -EINVAL;

	seconds = days_of(year, month, day) * 86400 + hour * 3600 +
		  minute * 60 + second - offset;
	if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX)
		return -ERANGE;
	*ret_seconds = seconds;
	*ret_nanos = nanos;
	return 0;
}

/**
 * put_fraction() - Write nanoseconds with 0, 3, 6 or 9 digits
 * @nanos:	0 to 999,999,999
 * @dst:	Room for 11 bytes
 */
static void put_fraction(int32_t nanos, char *dst)
{
	if (!nanos)
		*dst = '\0';
	else if (nanos % 1000000 == 0)
		snprintf(dst, 11, ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		snprintf(dst, 11, ".%06d", nanos / 1000);
	else
		snprintf(dst, 11, ".%09d", nanos);
}

/* timestamp_write() - Write RFC 3339 */
int timestamp_write(int64_t seconds, int32_t nanos, char *dst, size_t size)
{
	int64_t days, rest, era, year;
	int day_of_era, month, day;
	char fraction[11];

	if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX || nanos < 0 ||
	    nanos >= NANOS)
		return -ERANGE;
	/* From 1 March of the year 0: nothing is negative. */
	days = seconds / 86400 + 719468;
	rest = seconds % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	era = days / 146097;
	day_of_era = (int)(days % 146097);
	year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
		day_of_era / 146096) / 365;
	day = day_of_era - (int)(365 * year + year / 4 - year / 100);
	year += era * 400;
	month = (5 * day + 2) / 153;
	day = day - (153 * month + 2) / 5 + 1;
	month = month < 10 ? month + 3 : month - 9;
	year += month <= 2;
	put_fraction(nanos, fraction);
	str_format(dst, size, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", (int)year,
		   month, day, (int)(rest / 3600), (int)(rest / 60 % 60),
		   (int)(rest % 60), fraction);
	return 0;
}

/* duration_read() - Read "1.5s" */
int duration_read(const char *text, size_t size, int64_t *ret_seconds,
		  int32_t *ret_nanos)
{
	struct reader in = { text, text + size };
	bool negative = take_char(&in, '-');
	const char *first = in.at;
	int64_t seconds = 0;
	int32_t nanos;
	int r = 0;

	for (; in.at < in.end && *in.at >= '0' && *in.at <= '9'; in.at++) {
		if (seconds > DURATION_MAX)
			r = -ERANGE;
		else
			seconds = seconds * 10 + (*in.at - '0');
	}
	if (in.at == first || !take_fraction(&in, &nanos) ||
	    !take_char(&in, 's') || in.at != in.end)
		return -EINVAL;
	if (r < 0 || seconds > DURATION_MAX ||
	    (seconds == DURATION_MAX && nanos))
		return -ERANGE;
	*ret_seconds = negative ? -seconds : seconds;
	*ret_nanos = negative ? -nanos : nanos;
	return 0;
}

/* duration_write() - Write "1.5s" */
int duration_write(int64_t seconds, int32_t nanos, char *dst, size_t size)
{
	bool negative = seconds < 0 || nanos < 0;
	char fraction[11];

	if (negative) {
		if (seconds > 0 || nanos > 0 || seconds < -DURATION_MAX ||
		    nanos <= -NANOS)
			return -ERANGE;
		seconds = -seconds;
		nanos = -nanos;
	}
	if (seconds > DURATION_MAX || nanos >= NANOS ||
	    (seconds == DURATION_MAX && nanos))
		return -ERANGE;
	put_fraction(nanos, fraction);
	str_format(dst, size, "%s%lld%ss", negative ? "-" : "",
		   (long long)seconds, fraction);
	return 0;
}
