/*
 * What --sandbox is when it is not given: on.  CMake chooses this file or its sibling.
 */
#include "process/sandbox.h"

const enum sandbox_mode sandbox_mode_default = SANDBOX_ON;
