/*
 * Which pollux this is: the headers that a program is compiled with, and the library that it runs
 * with, which may be another.
 */
#ifndef PX_VERSION_H
#define PX_VERSION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PX_VERSION_MAJOR 0        /**< Changes with incompatible changes. */
#define PX_VERSION_MINOR 1        /**< Changes with additions; while the major is 0, with both. */
#define PX_VERSION_PATCH 0        /**< Changes with corrections. */
#define PX_VERSION_STRING "0.1.0" /**< All three. */

/** The headers' version as a number: 10203 is 1.2.3. */
#define PX_VERSION (PX_VERSION_MAJOR * 10000 + PX_VERSION_MINOR * 100 + PX_VERSION_PATCH)

/** The library's version, to be compared with PX_VERSION.  Any thread. */
unsigned px_version(void);

/** What a library was built with; a set of bits. */
enum px_feature {
    PX_FEATURE_TLS = 1 << 0,    /**< TLS (tls.h). */
    PX_FEATURE_HTTP2 = 1 << 1,  /**< HTTP/2, of servers and clients. */
    PX_FEATURE_GZIP = 1 << 2,   /**< gzip, and permessage-deflate of WebSockets. */
    PX_FEATURE_BROTLI = 1 << 3, /**< br. */
    PX_FEATURE_ZSTD = 1 << 4,   /**< zstd. */
    PX_FEATURE_CRYPT = 1 << 5,  /**< Files of passwords (basic_auth.h). */
    PX_FEATURE_REDIS = 1 << 6   /**< Hubs over Redis (hub_redis.h). */
};

/** The enum px_feature of this library.  A bit that a header does not know may be set.  Any thread.
 */
uint32_t px_features(void);

#ifdef __cplusplus
}
#endif

#endif
