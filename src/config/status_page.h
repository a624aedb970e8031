/*
 * The page of an error, for people that look at it in a browser.
 */
#ifndef PX_CONFIG_STATUS_PAGE_H
#define PX_CONFIG_STATUS_PAGE_H

#include <stdbool.h>

#include "pollux/exchange.h"

/* A px_error_page_fn: a page in HTML for a client that asks for that by name, else pollux's line of
 * text. */
void status_page_answer(px_exchange *exchange, unsigned status, void *context);

/* Whether an Accept field (RFC 9110 section 12.5.1) lists text/html itself, and not with weight 0;
 * a range that it is in is what every other client sends too. */
bool status_page_is_wanted(px_str accept);

#endif
