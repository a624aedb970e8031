/*
 * What holds of options that were read, whatever read them: a command line or a configuration.
 */
#include "base/check.h"
#include "main/flags/options.h"

void options_check(const struct options *options)
{
    const struct secure_options *secure = &options->secure;

    CHECK(options->command <= COMMAND_VERSION);
    CHECK(options->listen_count <= LISTEN_COUNT_MAX);
    CHECK(options->respond.header_count <= HEADER_COUNT_MAX);
    CHECK(options->gateway.url_count <= UPSTREAM_COUNT_MAX);
    CHECK(options->proxy.trusted_count <= TRUSTED_COUNT_MAX);
    CHECK(options->resolver.count <= NAME_SERVER_COUNT_MAX);
    CHECK(options->files.root && options->files.type_count <= TYPE_COUNT_MAX);
    CHECK(options->files.index_count <= INDEX_COUNT_MAX);
    CHECK(options->files.rule_count <= RULE_COUNT_MAX);
    CHECK(options->files.page_count <= PAGE_COUNT_MAX);
    CHECK(secure->certificate_count <= CERTIFICATE_COUNT_MAX);
    CHECK(secure->made_count <= secure->certificate_count);
    CHECK(secure->key_count <= CERTIFICATE_COUNT_MAX);
    CHECK(secure->staple_count <= CERTIFICATE_COUNT_MAX);
    CHECK(!options->run.config || (options->run.opened && options->run.command_line));
    for (uint32_t i = 0; i < options->listen_count; i++)
        CHECK(options->listen[i]);
}
