/*
 * Names in the world: one, and no resolver of the machine is asked, because what that says and when
 * would not be the seed's.
 *
 * "localhost" has one address or two; behind the first of two nobody listens, so that the second is
 * dialled.
 */
#include <netdb.h>
#include <strings.h>

#include "sim_kernel.h"

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);
int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list)
{
    struct addrinfo numeric = *hints;
    struct addrinfo *first = NULL;

    numeric.ai_flags |= AI_NUMERICHOST;
    if (!sim_world || strcasecmp(host, "localhost") != 0)
        return __real_getaddrinfo(host, port, &numeric, out_list);
    int failed = __real_getaddrinfo("127.0.0.1", port, &numeric, out_list);

    if (failed || sim_random_chance(&sim_world->random, 32768))
        return failed;
    failed = __real_getaddrinfo("::1", port, &numeric, &first);
    if (failed) {
        freeaddrinfo(*out_list);
        return failed;
    }
    first->ai_next = *out_list;
    *out_list = first;
    return 0;
}
