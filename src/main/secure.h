/*
 * TLS of the program: made of its flags before the workers are forked, so that keys are read by
 * whichever user may read them, and session tickets are good for all workers.
 */
#ifndef PX_MAIN_SECURE_H
#define PX_MAIN_SECURE_H

#include "main/exit_code.h"
#include "main/flags/options.h"

/* Whether an address asks for TLS. */
bool options_are_secure(const struct options *options);

/* What was said of the dates of each certificate: each step towards the end is said once. */
struct secure_dates {
    int64_t due; /* unix time of the next look */
    struct secure_date {
        int64_t until; /* the end it was said of */
        uint8_t step;
    } said[CERTIFICATE_COUNT_MAX];
};

/* Makes it, where an address asks for it: CODE_OK with *out_tls (owned by the caller, NULL where
 * none does), else what went wrong was said on stderr.  Of several certificates some may be
 * unusable: that is said too, and their names are refused.
 *  before: what is served until then, or NULL; its self-signed certificates are kept where their
 * names are the same. */
enum exit_code secure_open(const struct options *options, struct secure_dates *dates,
                           const px_tls *before, px_tls **out_tls);

/* Reads all files again, where there is TLS: PX_OK, or with everything as it was an error that was
 * said on stderr. */
PX_MUST_CHECK px_err secure_reload(const struct options *options, px_tls *tls,
                                   struct secure_dates *dates);

/* Judges the dates of certificates (RFC 5280 section 4.1.2.5) at the unix time `now`: a line where
 * there are less than 30, 7 or 1 days left, one has expired or is not valid yet, each once.
 * CODE_CONFIG when `strict` and one of them is not valid, else CODE_OK. */
enum exit_code secure_judge(const px_tls *tls, struct secure_dates *dates, int64_t now,
                            bool strict);

/* The same, when an hour has passed: for a caller that looks often.  NULL is fine. */
void secure_look(const px_tls *tls, struct secure_dates *dates);

/* Registers what is said on answers over TLS: PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err secure_register(px_server *server, const struct options *options,
                                     px_error *out_error);

#endif
