/*
 * What this library is.  CMake says what it is built with (PX_BUILT_WITH, in CMakeLists.txt).
 */
#include "pollux/version.h"

unsigned px_version(void)
{
    return PX_VERSION;
}

uint32_t px_features(void)
{
    return PX_BUILT_WITH;
}
