/*
 * What the content of a request asks of saving (save.c); for this folder alone.
 */
#ifndef PX_EXCHANGE_SAVE_H
#define PX_EXCHANGE_SAVE_H

#include "exchange/exchange_private.h"

enum {
    /* What may wait for a helper thread before the peer is held back, and as much again while that
     * writes: larger writes are no faster. */
    SAVE_BYTES_MAX = 64 * 1024,
    SAVE_PIECE_BYTES_MAX = 32 * 1024 /* of a form, taken at once */
};

struct save;

/* Content of the request: how many of the bytes were taken; after fewer than all it is paused. */
size_t save_receive(px_exchange *exchange, px_str bytes);

/* A piece of the part, all of which is taken. */
void save_part_data(px_exchange *exchange, px_str bytes);

/* Content, or the part, has ended. */
void save_finish(px_exchange *exchange);

/* Whether the part at hand is saved, or was: its pieces are not for on_part_content. */
bool save_has_part(const px_exchange *exchange);

/* The part has ended and all of it is written: a part that is not saved may begin. */
void save_leave_part(px_exchange *exchange);

/* Whether it is at it. */
bool save_is_active(const px_exchange *exchange);

/* The program pauses content, or goes on: whether content is held back all the same. */
bool save_note_pause(px_exchange *exchange, bool is_paused);

/* The part's last byte is written: its end is told (form_data.c). */
void form_data_part_saved(px_exchange *exchange);

#endif
