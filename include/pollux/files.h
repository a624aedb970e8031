/*
 * Serving the files of a folder (RFC 9110): a handler for any route.
 *
 *     px_files *files = px_files_create("/srv/www", NULL, &error);
 *     px_server_route(server, "/", px_files_handle, files, &error);
 *
 * It answers GET and HEAD with content, validators, ranges and preconditions (RFC 9110 sections 8,
 * 13 and 14), OPTIONS with what is allowed, and other methods with 405.  The path beneath the
 * folder is what the route's pattern leaves open: all of it for "/", what follows "/static" for
 * "/static/" and "/static/{path...}".  Nothing outside of the folder is reached, and no name that
 * begins with a dot, but for "/.well-known/".
 */
#ifndef PX_FILES_H
#define PX_FILES_H

#include "pollux/exchange.h"
#include "pollux/field.h"
#include "pollux/options.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_files px_files; /**< A folder that is served. */

/** A Cache-Control value (RFC 9111 section 5.2) for files whose path matches. */
typedef struct px_files_rule {
    size_t struct_size; /**< sizeof(px_files_rule), the same in each of an array. */
    /** With a slash it is matched against the whole path beneath the folder ("/assets/" and a
     * star; what neither begins so nor with a wildcard is PX_ERR_INVALID), else against the file's
     * name ("*.css"); `*` stands for any bytes, `?` for one. */
    const char *pattern;
    const char *value; /**< The field's value. */
} px_files_rule;

/** An empty one, to be filled in, as a value.  Any thread. */
static inline px_files_rule px_files_rule_default(void)
{
    px_files_rule rule;

    memset(&rule, 0, sizeof(rule));
    rule.struct_size = sizeof(rule);
    return rule;
}

/** The same. */
#define PX_FILES_RULE_DEFAULT px_files_rule_default()
/** The same as an initialiser of a static. */
#define PX_FILES_RULE_INIT PX_INIT_OF(px_files_rule)

/** An initialiser of a px_files_rule. */
#define PX_FILES_RULE(pattern, value)         \
    {                                         \
        sizeof(px_files_rule), pattern, value \
    }

/** The media type of files whose name ends in an extension. */
typedef struct px_files_type {
    size_t struct_size;    /**< sizeof(px_files_type), the same in each of an array. */
    const char *extension; /**< Without its dot, in any case: "wasm". */
    const char *type;      /**< The Content-Type as it is sent. */
} px_files_type;

/** An empty one, to be filled in, as a value.  Any thread. */
static inline px_files_type px_files_type_default(void)
{
    px_files_type type;

    memset(&type, 0, sizeof(type));
    type.struct_size = sizeof(type);
    return type;
}

/** The same. */
#define PX_FILES_TYPE_DEFAULT px_files_type_default()
/** The same as an initialiser of a static. */
#define PX_FILES_TYPE_INIT PX_INIT_OF(px_files_type)

/** An initialiser of a px_files_type. */
#define PX_FILES_TYPE(extension, type)         \
    {                                          \
        sizeof(px_files_type), extension, type \
    }

/** The content of an error answer. */
typedef struct px_files_page {
    size_t struct_size; /**< sizeof(px_files_page), the same in each of an array. */
    unsigned status;    /**< 400 to 599. */
    const char *file;   /**< As `spa`. */
} px_files_page;

/** An empty one, to be filled in, as a value.  Any thread. */
static inline px_files_page px_files_page_default(void)
{
    px_files_page page;

    memset(&page, 0, sizeof(page));
    page.struct_size = sizeof(page);
    return page;
}

/** The same. */
#define PX_FILES_PAGE_DEFAULT px_files_page_default()
/** The same as an initialiser of a static. */
#define PX_FILES_PAGE_INIT PX_INIT_OF(px_files_page)

/** An initialiser of a px_files_page. */
#define PX_FILES_PAGE(status, file)         \
    {                                       \
        sizeof(px_files_page), status, file \
    }

/** Options of a folder.  Strings and arrays are copied. */
typedef struct px_files_options {
    size_t struct_size;            /**< sizeof(px_files_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc.  With `listing` it is called from
                                        helper threads as well. */
    const char *const *indexes;    /**< Names tried for a folder; NULL: "index.html". */
    size_t index_count;            /**< Of them, at most 16. */
    const px_files_rule *rules;    /**< The first that matches counts; NULL: none. */
    size_t rule_count;             /**< Of them, at most 256. */
    const px_files_page *pages;    /**< Error pages; NULL: what px_respond_error gives. */
    size_t page_count;             /**< Of them, at most 64. */
    /** Answers with this file where there is none (a single-page application), or NULL.  Its path
     *  beneath the folder, or, when there is no such file, one of the file system. */
    const char *spa;
    int listing;         /**< 1: a folder without an index gets a page that lists it; 0: 403. */
    int follow_symlinks; /**< 1: symbolic links may lead out of the folder; 0: such are 404. */
    int no_sidecars; /**< 1: files are not looked for with ".br", ".zst" and ".gz" behind them. */
    uint32_t cache_files_max; /**< Descriptors kept open; 0: 512, at most a quarter of the limit. */
    uint64_t cache_bytes_max; /**< Memory of the cache; 0: 64 MiB. */
    /** The charset parameter of text types that the handler knows by itself: "iso-8859-1", or ""
     * for none; NULL: "utf-8". */
    const char *charset;
    const px_files_type *types; /**< They go before the types that are known; NULL: none. */
    size_t type_count;          /**< Of them, at most 256. */
    /** Fields of every answer beside those that it has; none of Content-Type, Content-Range,
     *  Content-Encoding, ETag, Last-Modified, Accept-Ranges, Location and those that frame the
     *  message.  NULL: none. */
    const px_field *fields;
    size_t field_count; /**< Of them, at most 64. */
    /** 1: the path beneath the folder is the whole path of the request, under any route; 0: what
     *  the route's pattern leaves open (px_files_beneath). */
    int whole_path;
    /** Tells of a file or folder that is there and that this process may not read (its requests are
     *  answered 403), each time it is looked for: `root` as it was given, and the path beneath it,
     *  as bytes of the file system.  On the loop's thread; NULL: nothing is told. */
    void (*on_denied)(const char *root, const char *path, void *context);
    void *denied_context; /**< Handed to on_denied; borrowed: outlives the px_files. */
} px_files_options;

/** The defaults, as a value.  Any thread. */
static inline px_files_options px_files_options_default(void)
{
    px_files_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_files_options, as a value. */
#define PX_FILES_OPTIONS_DEFAULT px_files_options_default()
/** The same as an initialiser of a static. */
#define PX_FILES_OPTIONS_INIT PX_INIT_OF(px_files_options)

/** What of a request's path is beneath the folder under a route: "/a.css" of "/static/a.css" for
 * the patterns "/static/" and "/static/{path...}"; all of it for patterns that leave nothing open,
 * such as "/a.css" and "/{name}".
 *  @param pattern of the route, with or without a method, or NULL: none.
 *  @param path with its slash in front, as it was received.
 *  @return a part of `path`, which begins with a slash, or ptr NULL: it ends before that.  Any
 *  thread. */
px_str px_files_beneath(const char *pattern, px_str path);

/** Opens a folder for serving.
 *  @param root path of the folder; it is opened once: what is later put in its place by renaming is
 *  not served.  @param options borrowed for the call; NULL: the defaults.
 *  @param out_error written when not NULL.
 *  @return owned by the caller (px_files_destroy), or NULL: PX_ERR_NOT_FOUND (the folder, or a file
 *  that the options name), PX_ERR_PERMISSION, PX_ERR_INVALID, PX_ERR_LIMIT, PX_ERR_MEMORY,
 *  PX_ERR_SYSTEM.  Any thread; used with servers of one loop. */
px_files *px_files_create(const char *root, const px_files_options *options, px_error *out_error);

/** The same for a folder that is open: workers of one generation serve one folder, whatever is put
 * in its place meanwhile, and none needs to find it by its path.
 *  @param fd borrowed for the call: of the folder, for reading.  @param root how messages name it.
 *  @return as px_files_create.  Any thread; used with servers of one loop. */
px_files *px_files_create_at(int fd, const char *root, const px_files_options *options,
                             px_error *out_error);

/** Whether the system refuses openat2 (Linux before 5.6, or a filter that does not know it): paths
 *  are then resolved a segment at a time, by helper threads.  1 or 0.  Any thread. */
int px_files_walks(const px_files *files);

/** Answers a request with a file; a px_handler.
 *  @param context the px_files.  The thread of the server's loop. */
void px_files_handle(px_exchange *exchange, void *context);

/** Answers with the file of that name, whatever the request's path and method are: under any route,
 *  behind any check of the program's own.  Validators, ranges, preconditions, encoded forms and
 *  error pages are as px_files_handle's; fields that were added stay.
 *  @param name beneath the folder, not encoded ("reports/2024.pdf"); copied.  What would leave the
 *  folder, a folder, and what is not there are 404.  Names with a dot in front are served: they are
 *  the program's choice.  The thread of the server's loop. */
void px_files_respond(px_files *files, px_exchange *exchange, px_str name);

/** Ends it; answers under way keep what they need.  NULL is fine.  A px_route_options `release`
 *  fits: the loop's thread, or after its servers are gone. */
void px_files_destroy(void *files);

#ifdef __cplusplus
}
#endif

#endif
