/*
 * Dates.  Both directions go through a day number counted from 0000-03-01, so that the leap day is
 * the last of its year and months follow one formula; everything stays positive, hence no rounding
 * towards zero to think about.
 */
#include "http/fields/date.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

enum {
    SECONDS_PER_DAY = 24 * 60 * 60,
    DAYS_PER_ERA = 146097,   /* 400 years */
    DAYS_TO_1970 = 719468,   /* from 0000-03-01 */
    WEEKDAY_OF_DAY_ZERO = 3, /* 0000-03-01 was a Wednesday; Sunday is 0 */
    CENTURY_WINDOW_YEARS = 50
};

struct date {
    int year;   /* 1 to 9999 */
    int month;  /* 1 to 12 */
    int day;    /* 1 to 31 */
    int hour;   /* 0 to 23 */
    int minute; /* 0 to 59 */
    int second; /* 0 to 60 */
    int weekday;
};

static const char day_names[7][3] = {
    {'S', 'u', 'n'}, {'M', 'o', 'n'}, {'T', 'u', 'e'}, {'W', 'e', 'd'},
    {'T', 'h', 'u'}, {'F', 'r', 'i'}, {'S', 'a', 't'},
};

static const char month_names[12][3] = {
    {'J', 'a', 'n'}, {'F', 'e', 'b'}, {'M', 'a', 'r'}, {'A', 'p', 'r'},
    {'M', 'a', 'y'}, {'J', 'u', 'n'}, {'J', 'u', 'l'}, {'A', 'u', 'g'},
    {'S', 'e', 'p'}, {'O', 'c', 't'}, {'N', 'o', 'v'}, {'D', 'e', 'c'},
};

static struct date date_of_seconds(int64_t unix_seconds)
{
    if (unix_seconds < DATE_SECONDS_MIN)
        unix_seconds = DATE_SECONDS_MIN;
    if (unix_seconds > DATE_SECONDS_MAX)
        unix_seconds = DATE_SECONDS_MAX;

    int64_t seconds = unix_seconds + (int64_t)DAYS_TO_1970 * SECONDS_PER_DAY;
    int days = (int)(seconds / SECONDS_PER_DAY);
    int clock = (int)(seconds % SECONDS_PER_DAY);
    int era = days / DAYS_PER_ERA;
    int day_of_era = days % DAYS_PER_ERA;
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * day_of_year + 2) / 153;
    struct date date;

    date.day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    date.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    date.year = era * 400 + year_of_era + (date.month <= 2 ? 1 : 0);
    date.hour = clock / 3600;
    date.minute = clock / 60 % 60;
    date.second = clock % 60;
    date.weekday = (days + WEEKDAY_OF_DAY_ZERO) % 7;
    return date;
}

static int64_t date_to_seconds(const struct date *date)
{
    int year = date->month <= 2 ? date->year - 1 : date->year;
    int month_from_march = date->month <= 2 ? date->month + 9 : date->month - 3;
    int era = year / 400;
    int year_of_era = year % 400;
    int day_of_year = (153 * month_from_march + 2) / 5 + date->day - 1;
    int day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    int64_t days = (int64_t)era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;

    return days * SECONDS_PER_DAY + date->hour * 3600 + date->minute * 60 + date->second;
}

static int date_month_days(int year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static void put_two(char *at, int number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
}

static void put_clock(char *at, const struct date *date)
{
    put_two(at, date->hour);
    put_two(at + 3, date->minute);
    put_two(at + 6, date->second);
}

void date_format(int64_t unix_seconds, char out_text[DATE_BYTES])
{
    struct date date = date_of_seconds(unix_seconds);

    memcpy(out_text, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_BYTES);
    memcpy(out_text, day_names[date.weekday], 3);
    put_two(out_text + 5, date.day);
    memcpy(out_text + 8, month_names[date.month - 1], 3);
    put_two(out_text + 12, date.year / 100);
    put_two(out_text + 14, date.year % 100);
    put_clock(out_text + 17, &date);
}

void date_format_log(int64_t unix_seconds, char out_text[DATE_LOG_BYTES])
{
    struct date date = date_of_seconds(unix_seconds);

    memcpy(out_text, "[10/Oct/2000:13:55:36 +0000]", DATE_LOG_BYTES);
    put_two(out_text + 1, date.day);
    memcpy(out_text + 4, month_names[date.month - 1], 3);
    put_two(out_text + 8, date.year / 100);
    put_two(out_text + 10, date.year % 100);
    put_clock(out_text + 13, &date);
}

void date_format_internet(int64_t unix_seconds, char out_text[DATE_INTERNET_BYTES])
{
    struct date date = date_of_seconds(unix_seconds);

    memcpy(out_text, "1994-11-06T08:49:37Z", DATE_INTERNET_BYTES);
    put_two(out_text, date.year / 100);
    put_two(out_text + 2, date.year % 100);
    put_two(out_text + 5, date.month);
    put_two(out_text + 8, date.day);
    put_clock(out_text + 11, &date);
}

/* What is left to read of a date; `failed` sticks, so that a form reads as a list of its pieces. */
struct date_reader {
    const char *at;
    const char *end;
    bool failed;
};

static void read_text(struct date_reader *reader, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, text, len) != 0) {
        reader->failed = true;
        return;
    }
    reader->at += len;
}

static int read_digits(struct date_reader *reader, int count)
{
    int number = 0;

    if (reader->end - reader->at < count) {
        reader->failed = true;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        char digit = *reader->at++;

        if (digit < '0' || digit > '9') {
            reader->failed = true;
            return 0;
        }
        number = number * 10 + (digit - '0');
    }
    return number;
}

/* Names are compared with regard to case: "HTTP-date is case sensitive" (RFC 9110 5.6.7). */
static int read_name(struct date_reader *reader, const char (*names)[3], int count)
{
    if (reader->end - reader->at >= 3) {
        for (int i = 0; i < count; i++) {
            if (memcmp(reader->at, names[i], 3) == 0) {
                reader->at += 3;
                return i;
            }
        }
    }
    reader->failed = true;
    return 0;
}

static int read_month(struct date_reader *reader)
{
    return read_name(reader, month_names, 12) + 1;
}

static void read_clock(struct date_reader *reader, struct date *date)
{
    date->hour = read_digits(reader, 2);
    read_text(reader, ":");
    date->minute = read_digits(reader, 2);
    read_text(reader, ":");
    date->second = read_digits(reader, 2);
}

/* IMF-fixdate = day-name "," SP day SP month SP year SP time-of-day SP GMT; the name was read. */
static void read_imf(struct date_reader *reader, struct date *date)
{
    read_text(reader, ", ");
    date->day = read_digits(reader, 2);
    read_text(reader, " ");
    date->month = read_month(reader);
    read_text(reader, " ");
    date->year = read_digits(reader, 4);
    read_text(reader, " ");
    read_clock(reader, date);
    read_text(reader, " GMT");
}

/* asctime-date = day-name SP month SP ( 2DIGIT / ( SP 1DIGIT )) SP time-of-day SP year. */
static void read_asctime(struct date_reader *reader, struct date *date)
{
    read_text(reader, " ");
    date->month = read_month(reader);
    read_text(reader, " ");
    if (reader->at < reader->end && *reader->at == ' ') {
        reader->at++;
        date->day = read_digits(reader, 1);
    } else {
        date->day = read_digits(reader, 2);
    }
    read_text(reader, " ");
    read_clock(reader, date);
    read_text(reader, " ");
    date->year = read_digits(reader, 4);
}

/* Whether `left` is later in its year than `right` in its own. */
static bool date_later_in_year(const struct date *left, const struct date *right)
{
    const int pairs[5][2] = {
        {left->month, right->month},   {left->day, right->day},       {left->hour, right->hour},
        {left->minute, right->minute}, {left->second, right->second},
    };

    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] > pairs[i][1];
    }
    return false;
}

/* A date that would be more than 50 years ahead means the latest year before that with the same two
 * digits (RFC 9110 section 5.6.7): the last such date up to now + 50 years. */
static int date_full_year(const struct date *date, int64_t now)
{
    struct date today = date_of_seconds(now);
    int last = today.year + CENTURY_WINDOW_YEARS;
    int year = last - last % 100 + date->year;

    if (year > last || (year == last && date_later_in_year(date, &today)))
        year -= 100;
    return year;
}

/* rfc850-date = day-name-l "," SP day "-" month "-" 2DIGIT SP time-of-day SP GMT; the first three
 * letters of the name were read. */
static void read_rfc850(struct date_reader *reader, struct date *date, int weekday, int64_t now)
{
    static const char *const rests[7] = {"day", "day", "sday", "nesday", "rsday", "day", "urday"};

    read_text(reader, rests[weekday]);
    read_text(reader, ", ");
    date->day = read_digits(reader, 2);
    read_text(reader, "-");
    date->month = read_month(reader);
    read_text(reader, "-");
    date->year = read_digits(reader, 2);
    read_text(reader, " ");
    read_clock(reader, date);
    read_text(reader, " GMT");
    if (!reader->failed)
        date->year = date_full_year(date, now);
}

px_err date_parse(px_str text, int64_t now, int64_t *out_unix_seconds)
{
    struct date_reader reader = {text.ptr, text.ptr, false};
    struct date date = {0};

    if (text.len < 4)
        return PX_ERR_MALFORMED;
    reader.end = text.ptr + text.len;
    date.weekday = read_name(&reader, day_names, 7);
    if (reader.failed)
        return PX_ERR_MALFORMED;
    if (*reader.at == ',')
        read_imf(&reader, &date);
    else if (*reader.at == ' ')
        read_asctime(&reader, &date);
    else
        read_rfc850(&reader, &date, date.weekday, now);

    if (reader.failed || reader.at != reader.end)
        return PX_ERR_MALFORMED;
    if (date.year < 1 || date.year > 9999)
        return PX_ERR_MALFORMED;
    if (date.day < 1 || date.day > date_month_days(date.year, date.month))
        return PX_ERR_MALFORMED;
    /* A leap second is the first of the next minute: POSIX time has no room for it. */
    if (date.hour > 23 || date.minute > 59 || date.second > 60)
        return PX_ERR_MALFORMED;

    int64_t seconds = date_to_seconds(&date);

    if (seconds > DATE_SECONDS_MAX)
        return PX_ERR_MALFORMED;
    *out_unix_seconds = seconds;
    return PX_OK;
}
