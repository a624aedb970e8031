/*
 * What a configuration names beside files: looked up by `pollux check`, before a start finds out.
 */
#ifndef PX_MAIN_RUN_PLACES_H
#define PX_MAIN_RUN_PLACES_H

#include "config/config.h"

/* Notes a socket whose folder is not there as an error, at its place, and as warnings what may be
 * otherwise where pollux is started: a log that no process receives, a user that only root can
 * become.  Connects to receivers on this machine, sends nothing, and binds nothing. */
void run_places_check(struct config *config);

#endif
