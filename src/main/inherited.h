/*
 * Which descriptors of the process that started this one are meant for it.
 */
#ifndef PX_MAIN_INHERITED_H
#define PX_MAIN_INHERITED_H

/* Closes all that neither the command line (fd:N, /dev/fd/N) nor the environment names.  `words`
 * ends in NULL.  Comes before the first descriptor of our own. */
void inherited_close_foreign(char *const *words);

#endif
