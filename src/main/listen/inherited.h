/*
 * Which descriptors of the process that started this one are meant for it.
 */
#ifndef PX_MAIN_INHERITED_H
#define PX_MAIN_INHERITED_H

#include <stdint.h>

/* Closes all that neither the command line (fd:N, /dev/fd/N) nor the environment names.  `words`
 * ends in NULL.  Comes before the first descriptor of our own. */
void inherited_close_foreign(char *const *words);

/* Closes sockets that a service manager passed and no address names, and says so: clients would
 * wait in their queues for ever.  Before any other descriptor is opened. */
void inherited_close_unnamed(const char *const *addresses, uint32_t count);

#endif
