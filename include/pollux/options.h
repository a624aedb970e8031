/*
 * What all option structs have in common.
 *
 * Each begins with `struct_size`, filled in by PX_*_DEFAULT (a value) or PX_*_INIT (an
 * initialiser).  Zero in a field means the default that the field's comment states; PX_OFF turns a
 * thing off, PX_UNLIMITED lifts a limit.  A struct that is larger than the library knows is
 * accepted when its unknown tail is zero, so that a program built against a newer header works with
 * an older library, and the other way round.  A struct without struct_size is refused: calls with
 * an error return PX_ERR_INVALID and say which struct it is; one that a handler gives is the fault
 * of its exchange (px_exchange_fault), which aborts; and where a struct is to be filled in, the
 * process is aborted behind px_on_fatal.
 */
#ifndef PX_OPTIONS_H
#define PX_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PX_OFF UINT32_MAX             /**< In a duration or rate: do not do this at all. */
#define PX_UNLIMITED UINT32_MAX       /**< In a count: as many as memory allows. */
#define PX_UNLIMITED_BYTES UINT64_MAX /**< In a 64-bit size: as many as memory allows. */

/** Initialiser of a struct with the defaults, for one at file scope too: the PX_*_INIT beside each
 *  PX_*_DEFAULT, which is a value and so can be assigned. */
#ifdef __cplusplus
#define PX_INIT_OF(type) type##_default()
#else
#define PX_INIT_OF(type)            \
    {                               \
        .struct_size = sizeof(type) \
    }
#endif

#endif
