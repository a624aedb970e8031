/*
 * Error categories and the record that explains one.
 *
 * A category answers one question: what will the caller do differently?  Everything else (which
 * address, which errno, what to try) is in the text of px_error.
 */
#ifndef PX_ERROR_H
#define PX_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define PX_MUST_CHECK __attribute__((warn_unused_result)) /**< The result must be looked at. */
#define PX_PRINTF(text, first) __attribute__((format(printf, text, first))) /**< As printf. */

/** What went wrong, by what the caller does about it. */
typedef enum px_err {
    PX_OK = 0,             /**< It worked. */
    PX_AGAIN,              /**< Not yet: more input, more room or more time is needed. */
    PX_ERR_MEMORY,         /**< An allocation failed. */
    PX_ERR_LIMIT,          /**< A named limit was reached; retry after some work has ended. */
    PX_ERR_INVALID,        /**< The call or an option is wrong; the program must be changed. */
    PX_ERR_MALFORMED,      /**< The peer's bytes break the protocol. */
    PX_ERR_CLOSED,         /**< The peer, or the object, is gone. */
    PX_ERR_TIMEOUT,        /**< A deadline passed. */
    PX_ERR_CANCELLED,      /**< It was cancelled before it ran. */
    PX_ERR_CONFLICT,       /**< It contradicts something that was registered before. */
    PX_ERR_NOT_FOUND,      /**< No such file, name or entry. */
    PX_ERR_PERMISSION,     /**< The system refuses it to this user. */
    PX_ERR_ADDRESS_IN_USE, /**< Another socket listens there already. */
    PX_ERR_UNSUPPORTED,    /**< This build or this kernel cannot do it. */
    PX_ERR_SYSTEM,         /**< Another failure of a system call; see sys_errno. */
    PX_FULL                /**< What waits for the peer is as much as may; it was not taken. */
} px_err;

/** Size of the text of a px_error in bytes, its NUL included. */
#define PX_ERROR_TEXT_BYTES 256

/** Why a setup call failed.  Setup calls write one on success too (code PX_OK, empty text). */
typedef struct px_error {
    px_err code;                    /**< The category, the same that the call returned. */
    int sys_errno;                  /**< The errno behind it, or 0. */
    char text[PX_ERROR_TEXT_BYTES]; /**< One line for a person, NUL-terminated, without a LF. */
} px_error;

/** Initialiser of a px_error, in C and C++, at file scope too. */
#define PX_ERROR_INIT \
    {                 \
        PX_OK, 0, ""  \
    }

/** The name of a category in lower case ("address in use").
 *  @return a static string, never NULL.  Any thread. */
const char *px_err_name(px_err err);

/** Fills in an error, for a program that reports its own failures as pollux does.
 *  @param out_error written when not NULL.
 *  @param sys_errno the errno behind it, or 0; the text is not made from it.
 *  @param format one line for a person as printf takes it, without a LF; cut at
 *  PX_ERROR_TEXT_BYTES.
 *  @return `code`, so that a failing call ends in `return px_error_set(...)`.  Any thread. */
px_err px_error_set(px_error *out_error, px_err code, int sys_errno, const char *format, ...)
    PX_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif

#endif
