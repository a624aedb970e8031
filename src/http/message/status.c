/*
 * The reason phrases of IANA's registry of HTTP status codes.  It is a switch and not an array of
 * slices because an array of pointers is relocated, and so costs private memory in every process.
 */
#include "http/message/status.h"

#include <string.h>

#define REASON(text) px_str_make(text, sizeof(text) - 1)

px_str status_reason(unsigned status)
{
    switch (status) {
    case 100:
        return REASON("Continue");
    case 101:
        return REASON("Switching Protocols");
    case 102:
        return REASON("Processing"); /* RFC 2518 */
    case 103:
        return REASON("Early Hints"); /* RFC 8297 */
    case 200:
        return REASON("OK");
    case 201:
        return REASON("Created");
    case 202:
        return REASON("Accepted");
    case 203:
        return REASON("Non-Authoritative Information");
    case 204:
        return REASON("No Content");
    case 205:
        return REASON("Reset Content");
    case 206:
        return REASON("Partial Content");
    case 207:
        return REASON("Multi-Status"); /* RFC 4918 */
    case 208:
        return REASON("Already Reported"); /* RFC 5842 */
    case 226:
        return REASON("IM Used"); /* RFC 3229 */
    case 300:
        return REASON("Multiple Choices");
    case 301:
        return REASON("Moved Permanently");
    case 302:
        return REASON("Found");
    case 303:
        return REASON("See Other");
    case 304:
        return REASON("Not Modified");
    case 305:
        return REASON("Use Proxy");
    case 307:
        return REASON("Temporary Redirect");
    case 308:
        return REASON("Permanent Redirect");
    case 400:
        return REASON("Bad Request");
    case 401:
        return REASON("Unauthorized");
    case 402:
        return REASON("Payment Required");
    case 403:
        return REASON("Forbidden");
    case 404:
        return REASON("Not Found");
    case 405:
        return REASON("Method Not Allowed");
    case 406:
        return REASON("Not Acceptable");
    case 407:
        return REASON("Proxy Authentication Required");
    case 408:
        return REASON("Request Timeout");
    case 409:
        return REASON("Conflict");
    case 410:
        return REASON("Gone");
    case 411:
        return REASON("Length Required");
    case 412:
        return REASON("Precondition Failed");
    case 413:
        return REASON("Content Too Large");
    case 414:
        return REASON("URI Too Long");
    case 415:
        return REASON("Unsupported Media Type");
    case 416:
        return REASON("Range Not Satisfiable");
    case 417:
        return REASON("Expectation Failed");
    case 421:
        return REASON("Misdirected Request");
    case 422:
        return REASON("Unprocessable Content");
    case 423:
        return REASON("Locked"); /* RFC 4918 */
    case 424:
        return REASON("Failed Dependency"); /* RFC 4918 */
    case 425:
        return REASON("Too Early"); /* RFC 8470 */
    case 426:
        return REASON("Upgrade Required");
    case 428:
        return REASON("Precondition Required"); /* RFC 6585 */
    case 429:
        return REASON("Too Many Requests"); /* RFC 6585 */
    case 431:
        return REASON("Request Header Fields Too Large"); /* RFC 6585 */
    case 451:
        return REASON("Unavailable For Legal Reasons"); /* RFC 7725 */
    case 500:
        return REASON("Internal Server Error");
    case 501:
        return REASON("Not Implemented");
    case 502:
        return REASON("Bad Gateway");
    case 503:
        return REASON("Service Unavailable");
    case 504:
        return REASON("Gateway Timeout");
    case 505:
        return REASON("HTTP Version Not Supported");
    case 506:
        return REASON("Variant Also Negotiates"); /* RFC 2295 */
    case 507:
        return REASON("Insufficient Storage"); /* RFC 4918 */
    case 508:
        return REASON("Loop Detected"); /* RFC 5842 */
    case 510:
        return REASON("Not Extended"); /* RFC 2774 */
    case 511:
        return REASON("Network Authentication Required"); /* RFC 6585 */
    default:
        return REASON("");
    }
}

size_t status_text(unsigned status, char out_text[STATUS_TEXT_BYTES])
{
    px_str reason = status_reason(status);

    out_text[0] = (char)('0' + status / 100);
    out_text[1] = (char)('0' + status / 10 % 10);
    out_text[2] = (char)('0' + status % 10);
    out_text[3] = ' ';
    memcpy(out_text + 4, reason.ptr, reason.len);
    return 4 + reason.len;
}
