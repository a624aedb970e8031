/*
 * What happens when pollux finds that its own state is broken.
 */
#ifndef PX_FATAL_H
#define PX_FATAL_H

#ifdef __cplusplus
extern "C" {
#endif

/** Called once, on the thread that found the fault, when an internal assertion is broken; when it
 *  returns, the process is aborted.  The library's own definition is weak and does nothing: a
 *  program that wants to say something defines a function of this name and signature.  It must
 *  not call into pollux.
 *  @param file the source file, @param line the line, @param condition what did not hold; all
 *  static strings. */
void px_on_fatal(const char *file, int line, const char *condition);

#ifdef __cplusplus
}
#endif

#endif
