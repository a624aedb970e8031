/*
 * What a reload can change, and what it cannot.
 */
#ifndef PX_MAIN_RUN_CHANGE_H
#define PX_MAIN_RUN_CHANGE_H

#include "config/config.h"

/* Notes in the new configuration's report what it changes and only a restart can: false then. */
bool run_change_is_possible(const struct config *old, struct config *new);

/* Whether workers that are asked for have sockets, which are made at start; else it is noted. */
bool run_change_has_sockets(struct config *new, uint32_t socket_count);

/* As the first, for a process that cannot do more than serve another site. */
bool run_change_is_of_site(const struct config *old, struct config *new);

/* Notes something at a directive of the top, or at one of its values (from 1; 0: the directive). */
void run_change_note(struct config *config, const char *name, uint32_t value, const char *format,
                     ...) PX_PRINTF(4, 5);

/* The same at a listener, by its index. */
void run_change_note_listen(struct config *config, uint32_t index, const px_error *error);

#endif
