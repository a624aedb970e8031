/*
 * What the files of the gallery share: small helpers, and the handlers that `gallery.c` registers.
 */
#ifndef GALLERY_H
#define GALLERY_H

#include <stddef.h>

#include "pollux/pollux.h"

/* Content that every byte's place can be told from: byte i is PATTERN[i % PATTERN_BYTES]. */
#define GALLERY_BYTES_MAX ((size_t)4 << 20)

/* The number in a query parameter, or `otherwise`. */
unsigned long gallery_number(px_exchange *exchange, const char *name, unsigned long otherwise);

/* That many bytes of the pattern, from its start; borrowed, static. */
px_str gallery_pattern(size_t bytes);

/* Answers with text; `text` is copied. */
void gallery_say(px_exchange *exchange, const char *text);

/* Answers: gallery_answer.c. */
void gallery_body(px_exchange *exchange, void *context);
void gallery_producer(px_exchange *exchange, void *context);
void gallery_pieces(px_exchange *exchange, void *context);
void gallery_file(px_exchange *exchange, void *context);
void gallery_late(px_exchange *exchange, void *context);
void gallery_inform(px_exchange *exchange, void *context);
void gallery_wrong(px_exchange *exchange, void *context);

/* Requests: gallery_request.c. */
void gallery_fields(px_exchange *exchange, void *context);
void gallery_echo(px_exchange *exchange, void *context);
void gallery_stream(px_exchange *exchange, void *context);
void gallery_count(px_exchange *exchange, void *context);
void gallery_early(px_exchange *exchange, void *context);
void gallery_form(px_exchange *exchange, void *context);
void gallery_parts(px_exchange *exchange, void *context);
void gallery_tunnel(px_exchange *exchange, void *context);

/* What lasts: gallery_socket.c. */
void gallery_socket(px_exchange *exchange, void *context);
void gallery_closed(px_exchange *exchange, void *context);
void gallery_hub(px_exchange *exchange, void *context);
void gallery_events(px_exchange *exchange, void *context);
void gallery_publish(px_exchange *exchange, void *context);
void gallery_socket_end(px_loop *loop);

/* How it ended: gallery_end.c. */
void gallery_watch(px_server_options *options);
void gallery_wait(px_exchange *exchange, void *context);
void gallery_ends(px_exchange *exchange, void *context);

#endif
