/*
 * healthcheck where pollux is built without TLS.
 */
#include "base/error.h"
#include "main/health_tls.h"

px_err health_tls_create(struct health_tls **out_tls, const struct healthcheck_options *options,
                         const char *host, const char *request, px_error *out_error)
{
    (void)out_tls;
    (void)options;
    (void)host;
    (void)request;
    return error_set(out_error, PX_ERR_INVALID, 0, "this pollux was built without TLS");
}

px_err health_tls_receive(struct health_tls *tls, px_str bytes, px_str *out_answer)
{
    (void)tls;
    (void)bytes;
    (void)out_answer;
    return PX_ERR_INVALID;
}

px_str health_tls_pending(struct health_tls *tls)
{
    (void)tls;
    return px_str_make("", 0);
}

const char *health_tls_complaint(const struct health_tls *tls)
{
    (void)tls;
    return "";
}

void health_tls_destroy(struct health_tls *tls)
{
    (void)tls;
}
