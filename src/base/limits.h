/*
 * Every limit that has a number, with its reason.  Reaching one is an error with a name, never
 * growth.  The first part are defaults that an option may change, the second part is fixed.
 */
#ifndef PX_BASE_LIMITS_H
#define PX_BASE_LIMITS_H

enum {
    /* --- Defaults of options ------------------------------------------------------------- */

    /* Large cookies and tokens reach 16 KiB; twice that is room for all that is honest. */
    HEAD_BYTES_DEFAULT = 32 * 1024,
    FIELD_COUNT_DEFAULT = 100,
    /* RFC 9112 section 3 asks for at least 8,000. */
    TARGET_BYTES_DEFAULT = 8 * 1024,
    CONTENT_BYTES_DEFAULT = 1024 * 1024,
    /* Requests of one connection answered in a row before other connections go on. */
    PIPELINE_COUNT_DEFAULT = 64,
    EXCHANGE_ARENA_BYTES_DEFAULT = 1024 * 1024,
    INBOX_BYTES_TOTAL_DEFAULT = 64 * 1024 * 1024,
    /* Bytes that a handler may have written in pieces and the peer has not taken. */
    OUTPUT_BYTES_DEFAULT = 1024 * 1024,

    HEAD_TIMEOUT_MS_DEFAULT = 10 * 1000,
    IDLE_TIMEOUT_MS_DEFAULT = 60 * 1000,
    /* Time within which MINIMUM_RATE must be shown, for content received and answers sent. */
    RATE_WINDOW_MS_DEFAULT = 20 * 1000,
    MINIMUM_RATE_DEFAULT = 240, /* bytes a second, as in Apache and IIS */
    LINGER_TIMEOUT_MS_DEFAULT = 5 * 1000,
    DRAIN_TIMEOUT_MS_DEFAULT = 30 * 1000,

    TLS_HANDSHAKE_TIMEOUT_MS_DEFAULT = 10 * 1000,
    /* Each holds some 30 KiB and may ask for a signature: of those that dawdle the oldest goes. */
    TLS_HANDSHAKES_DEFAULT = 1024,
    /* Below a kilobyte a head is most of an answer, and it fits into one packet anyway. */
    COMPRESS_BYTES_MIN_DEFAULT = 1024,
    /* Coders at work, of one server: 240 by gzip, 38 by zstd, 20 by br. */
    COMPRESS_MEMORY_BYTES_DEFAULT = 64 * 1024 * 1024,
    COMPRESS_CACHE_BYTES_DEFAULT = 16 * 1024 * 1024,

    /* --- Fixed --------------------------------------------------------------------------- */

    METHOD_BYTES_MAX = 32,
    EMPTY_LINES_MAX = 8,
    HEAD_BYTES_LIMIT = 1024 * 1024, /* the most that head_bytes_max may be set to */
    FIELD_COUNT_LIMIT = 1000,       /* the most that field_count_max may be set to */

    /* Chunk framing beyond the data itself, per request (extensions, sizes, line ends): a peer that
     * sends more overhead than this and more than the data it carries is refused. */
    CHUNK_OVERHEAD_BYTES_MAX = 16 * 1024,
    CHUNK_SIZE_DIGITS_MAX = 16, /* 64 bits; leading zeros count */
    /* Extensions mean nothing to us; a sum of this is an attack whatever the content's size. */
    CHUNK_EXTENSION_BYTES_MAX = 16 * 1024,
    TRAILER_BYTES_MAX = 8 * 1024,
    TRAILER_COUNT_MAX = 100,

    /* Pairs of a query string or a form, as in PHP: no honest page has more. */
    QUERY_PAIRS_MAX = 1000,
    /* User agents drop a cookie whose name and value, or one of whose attributes, are longer
     * (RFC 6265bis section 5.6). */
    COOKIE_BYTES_MAX = 4096,
    COOKIE_ATTRIBUTE_BYTES_MAX = 1024,
    /* Parts of a multipart form: one for each control of the page, as QUERY_PAIRS_MAX. */
    MULTIPART_PARTS_MAX = 1000,
    /* The fields of one part: a long file name in three bytes a letter, and nothing else. */
    MULTIPART_HEAD_BYTES_MAX = 8 * 1024,
    MULTIPART_FIELDS_MAX = 16,
    MULTIPART_BOUNDARY_BYTES_MAX = 70, /* RFC 2046 section 5.1.1 */

    /* One receive call, shared by all streams of a loop.  Large enough for a pipelined burst, small
     * enough to stay in the cache on its way out again: a relayed MiB took 660 us with 64 KiB, and
     * takes 430 (docs/PROXY.md). */
    RECV_CHUNK_BYTES = 32 * 1024,
    /* What one stream may keep for a receiver that does not use it; a server sets its own. */
    STREAM_INBOX_BYTES_DEFAULT = 128 * 1024,
    INBOX_BYTES_FIRST = 4 * 1024, /* the first size of an inbox; it doubles */
    EVENTS_PER_WAIT = 256,        /* events taken in one epoll_wait: 3 KiB */
    ACCEPTS_PER_TICK = 64,        /* connections taken from one listener before others go on */
    /* A queue of connections that was not empty for so long is cut by those that have waited in it
     * for as long.  Clients give up after one second or more; a burst that is worked off sooner is
     * served whole. */
    ACCEPT_LATE_MS = 500,
    RECVS_PER_TICK = 16, /* receives of one stream before others go on */
    SEND_PARTS_MAX = 64, /* parts handed to one sendmsg */
    /* One sendfile.  Measured (docs/decisions/file-turn.md): pieces that fit into one packet cost a
     * third of larger ones, which queue up and grow the socket's buffer out of the cache. */
    FILE_TURN_BYTES = 60 * 1024,
    /* A peer that takes so many in a row whole is given one more a turn, up to the second number:
     * a fast download beside many slow ones. */
    FILE_TURN_GROW_COUNT = 16,
    FILE_TURN_COUNT_MAX = 4,
    /* What is looked up in the page cache, and read by a helper where it is not there, before it is
     * handed to sendfile: a fast peer needs few of these, a slow one does not keep much waiting. */
    FILE_WINDOW_BYTES = 10 * FILE_TURN_BYTES,
    FILE_PROBE_BYTES = 128 * 1024, /* a look every so often: what the kernel reads ahead at once */
    SEND_TURN_BYTES = 512 * 1024,  /* bytes of one stream before others go on */
    /* Bytes of all streams in one turn of a tick (its events; what it has left over; its tasks)
     * before timers and newcomers have theirs; four times that for one that is not in the middle of
     * an answer. More than one stream may move in its own turn, so that a fast one does not put the
     * others off.
     */
    TICK_TURN_BYTES = RECVS_PER_TICK * RECV_CHUNK_BYTES + SEND_TURN_BYTES,
    H1_STEPS_PER_REQUEST = 4, /* steps of the driver that an ordinary request takes */
    TASKS_PER_TICK = 64,      /* connections that go on with what they could not finish */
    AGAIN_PER_TICK = 256,     /* streams likewise */
    POSTS_PER_TICK = 1024,    /* posted calls before the wait is looked at again */

    MIDDLEWARE_MAX = 32, /* of one site, of one host, of one route */
    FILTERS_MAX = 8,     /* likewise: the depth of a pull through them is three times that */
    /* What filters take in a turn of one connection: at the 60 MB/s of gzip half a millisecond. */
    FILTER_TURN_BYTES = 32 * 1024,
    COMPRESS_CACHE_SHARES = 8,   /* one entry is no larger than this part of the cache */
    COMPRESS_RECORDINGS_MAX = 8, /* answers written down at once: as much again as the cache */
    COMPRESS_RATIO_GUESS = 16,   /* content longer than this times an entry is not written down */
    COMPRESS_IDLE_MAX = 4,       /* coders of a kind that wait for the next answer */
    /* Of one server.  A worker may have to serve the sockets of all its siblings. */
    LISTENERS_MAX = 1024,
    /* Output of one connection is rendered here: a head, and content that fits behind it. */
    OUT_BYTES = 16 * 1024,
    /* Content up to this is copied behind its head; more is sent from where it lies. */
    OUT_COPY_BYTES_MAX = 4 * 1024,
    /* px_respond copies up to this into the exchange's memory, more into memory of its own, so that
     * the cap of the one is no cap of the other. */
    RESPOND_ARENA_BYTES_MAX = 64 * 1024,
    RESPOND_BYTES_DEFAULT = 16 * 1024 * 1024, /* of one px_respond; more is a file or a producer */
    RESPOND_COPIES_MAX = 16, /* times that for all of a server: peers that read slowly hold them */
    /* Log lines of one tick; at this size they are handed over early. */
    LOG_BYTES_MAX = 1024 * 1024,

    /* A text of a template for one request: a head has 32 KiB, and a template may name it twice. */
    TEMPLATE_BYTES_MAX = 64 * 1024,
    /* A matcher's lines, nesting and values: what one person can still read, and lists of addresses
     * that a program wrote.  A glob tries each of its bytes at each byte of a path at worst. */
    MATCHER_LINES_MAX = 64,
    MATCHER_DEPTH_MAX = 16,
    MATCHER_VALUES_MAX = 4096,
    GLOB_BYTES_MAX = 1024,
    /* Rules of allow and deny: each is compared with each client. */
    ACCESS_RULES_MAX = 4096,
    /* Counts of rate limits, 16 bytes a key: a quarter of a million keys for all limits of a
     * program, four thousand where one limit is all there is. */
    RATE_BYTES_DEFAULT = 4 * 1024 * 1024,
    RATE_BYTES_OWN = 64 * 1024,
    RATE_BYTES_LEAST = 4 * 1024,
    RATE_BYTES_LIMIT = 1024 * 1024 * 1024,
    FIELD_EDITS_MAX = 256, /* changes to fields: each is made for each answer */
    /* Basic authentication.  A check takes a helper thread for 50 ms and more: two of the four
     * leave the others for files, and a full queue is two seconds. */
    USERS_BYTES_MAX = 1024 * 1024, /* ten thousand users; more belong into a database */
    USER_NAME_BYTES_MAX = 255,
    AUTH_RUNNING_DEFAULT = 2,
    AUTH_WAITING_DEFAULT = 64,
    AUTH_WAITING_LIMIT = 1024, /* what a newcomer is compared with, squared when it is full */
    AUTH_EXCHANGES_MAX = 1024, /* that share these checks: a page and all that is in it */
    AUTH_KNOWN_DEFAULT = 1024,
    AUTH_KNOWN_TIMEOUT_MS = 5 * 60 * 1000, /* how long a password that was changed goes on */

    TRUSTED_PROXIES_MAX = 256, /* blocks; each is compared with each peer */
    FORWARDED_HOPS_MAX = 32,   /* proxies behind proxies: no honest chain is as long */
    /* As nginx: addresses take 232 bytes, the rest is what clouds add about certificates. */
    PROXY_HEADER_BYTES_MAX = 4096,
    LINGER_BYTES_MAX = 1024 * 1024, /* what a closing connection reads and drops */
    SHED_COUNT_MAX = 64,            /* idle connections closed in one walk over all */
    /* At the connection limit a head that is not whole after this is one that holds a place: honest
     * ones come in one segment or two. */
    HEAD_SHED_MS = 1000,
    SHED_PAUSE_MS = 100, /* before looking again for heads that have grown old */
    /* Newcomers that are told 503 at a time, half of the descriptors that are kept free; above that
     * the backlog waits. */
    REFUSING_COUNT_MAX = 32,
    /* For an answer after the peer's end: what is on its way from a disk or another server. */
    PEER_END_MS = 1000,
    REFUSAL_TIMEOUT_MS = 1000, /* for a newcomer's first bytes */
    REFUSAL_LINGER_MS = 200,   /* for him to see the answer where his request goes on */
    LINGER_COUNT_MAX = 4096,   /* lingering connections a server; above that close at once */

    /* Ranges of one request; a request for more gets the whole (RFC 9110 section 14.2). */
    RANGE_COUNT_MAX = 16,
    /* A file up to this is kept in memory and leaves with its head in one call; a larger one is
     * sent from the page cache. */
    FILE_SMALL_BYTES_MAX = 64 * 1024,
    /* A larger file whose time a tool has set is read for its tag, once a version: 4 ms of a helper
     * thread, and what is read is sent next.  Beyond, the tag is made of inode and change time. */
    FILE_HASHED_BYTES_MAX = 4 * 1024 * 1024,
    FILE_PATH_BYTES_MAX = 4095, /* what the kernel takes, less its NUL */
    /* Entries of a piece of a listing, of which any number follow: half a second of a helper thread
     * on a cold disk.  Twice that many are sorted at a time. */
    LISTING_PIECE_MAX = 10000,
    LISTING_BYTES_MAX = 16 * 1024 * 1024, /* one piece, rendered: long names that need escaping */
    LISTING_BYTES_TOTAL_MAX = 64 * 1024 * 1024, /* listings being sent: above that 503 */
    LISTING_COUNT_MAX = 256,                    /* being made: above that 503 */
    LISTING_NAMES_BYTES_MAX = 2 * 1024 * 1024,  /* names of a piece while they are sorted */
    LISTING_HEAD_BYTES_MAX = 256 * 1024,        /* above the rows: a path, escaped, and its links */
    LISTING_CRUMBS_MAX = 64, /* folders above that are links: each is as long as the way */
    LISTING_STREAMS_MAX = 4, /* answers that hold a piece of their own */
    LISTING_PAGES_MAX = 64,  /* kept: few folders are looked at by many */
    LISTING_KEPT_BYTES_MAX = 16 * 1024 * 1024, /* their rows */
    /* Files change without their folder, so that a page is believed this many times as long as it
     * took to make: a tenth of a helper thread is the most that one folder can cost. */
    LISTING_FRESH_TIMES = 10,
    LISTING_FRESH_MS = 10 * 1000,   /* the most */
    FILE_CACHE_FILES_DEFAULT = 512, /* descriptors that one cache of open files holds */
    FILE_CACHE_BYTES_DEFAULT = 64 * 1024 * 1024, /* memory of one such cache */
    FILE_CACHE_BUCKETS_MAX = 64 * 1024,          /* of its table: at 64 MiB few entries share one */
    FILE_FRESH_MS =
        1000,            /* how long what was found is believed: changes are seen within a second */
    FILE_WARM_MS = 1000, /* how long a file that was sent without a wait counts as in the cache */
    /* What was not asked for from one look to the next is let go, a millisecond's worth at a time:
     * longer than a visitor stays with a page. */
    CACHE_IDLE_MS = 60 * 1000,
    CACHE_AGE_COUNT = 1024,
    FILE_INDEXES_MAX = 16,        /* names tried for a directory: each is an open */
    FILE_PAGES_MAX = 64,          /* error pages: there are fewer codes with a meaning */
    FILE_RULES_MAX = 256,         /* Cache-Control patterns: each is tried when a file is opened */
    FILE_FIELDS_MAX = 64,         /* further fields of every answer: they are copied each time */
    FILE_WAITERS_MAX = 64 * 1024, /* requests waiting for helpers of one cache: then 503 */

    /* --- HTTP/2: what one connection may do, and in any ten seconds ------------------------ */

    H2_STREAMS_MAX = 100, /* concurrent requests: what RFC 9113 section 6.5.2 asks for at least */
    /* Exchanges of a server: not all connections have H2_STREAMS_MAX requests at once. */
    H2_EXCHANGES_PER_CONN = 4,
    /* Exchanges are made room for when so large a part of them (one of so many) is left alone. */
    H2_EXCHANGES_RESERVE_PART = 8,
    /* Decoded heads of requests in progress: of a connection (a hundred small ones, or some with
     * the cookies of a large site), and of all of a loop, whatever the machine has. HPACK makes 32
     * KiB of twenty bytes, so that this is not bounded by what peers send. */
    H2_CONN_HEADS_BYTES_MAX = 256 * 1024,
    HEADS_BYTES_TOTAL_MAX = 32 * 1024 * 1024,
    H2_HEADS_MAX = 1024, /* header blocks that are not whole, on all connections: 36 MiB */
    H2_EXCHANGES_SPARE = 1024,
    /* Content that a stream may send before it is read, and a connection in sum: what a handler
     * that pauses makes us keep. */
    H2_STREAM_WINDOW = 256 * 1024,
    H2_CONN_WINDOW = 1024 * 1024,
    /* A head that decodes to this many times its limit is an attack, not a large head. */
    H2_HEAD_EXCESS_MAX = 4,
    /* Memory of one session of the library: a hundred streams take a tenth of it. */
    H2_SESSION_BYTES_MAX = 4 * 1024 * 1024,
    H2_CRUMBS_MAX = 256, /* pieces of a Cookie field: browsers keep fewer cookies a site */
    /* Resets that are also more than half of the streams opened: no user cancels that much. */
    H2_RESETS_MAX = 200,
    H2_STALLED_MAX = 32,            /* streams that moved nothing for two rate windows, over time */
    H2_FRAMES_MAX = 1000,           /* PING, SETTINGS, PRIORITY, empty DATA, of each */
    H2_CONTINUATIONS_MAX = 64,      /* frames of one header block: honest ones are full */
    H2_EMPTY_CONTINUATIONS_MAX = 8, /* in a row */

    /* --- TLS ---------------------------------------------------------------------------- */

    TLS_NAME_BYTES_MAX = 255, /* a host name: RFC 1035 section 2.3.4 */
    TLS_NAMES_MAX = 1000,     /* of one certificate: certificate authorities stop at 100 */
    TLS_CERTIFICATES_MAX = 1000,
    TLS_CHAIN_BYTES_MAX = 48 * 1024,   /* a flight with it fits the queue below */
    TLS_TICKET_KEYS_MAX = 8,           /* one seals, the others are on their way out */
    TLS_TICKET_ROTATION_S = 12 * 3600, /* and how long a ticket lives: two keys open all of them */
    TLS_TICKET_STEPS_MAX = 10000,      /* rotations at once: thirteen years */
    /* Three packets: in the first window of a connection the peer can read what it has, and need
     * not wait for the end of a record that does not fit (RFC 6928). */
    TLS_RECORD_FIRST_BYTES = 4 * 1024,
    TLS_RECORD_BYTES = 16 * 1024, /* RFC 8446 section 5.1 */
    TLS_BURST_BYTES = 64 * 1024,  /* after so many, records are whole */
    TLS_BURST_PAUSE_MS = 1000,    /* a pause after which the window may have shrunk */
    TLS_FILL_BYTES =
        48 * 1024, /* content sealed before it is sent: three records stay in the cache */
    TLS_QUEUE_BYTES = 68 * 1024, /* the most a session seals: four records and what they cost */
    TLS_BLOCK_BYTES = 16 * 1024, /* the queue grows by so many */
    TLS_BLOCKS_MAX = 8,          /* the queue's content, and room for handshakes and alerts */
    TLS_STAPLE_BYTES_MAX = 16 * 1024, /* an OCSP response: a few KiB with its certificates */
    TLS_STAPLE_UNDATED_S = 86400,     /* how long one without nextUpdate is believed */
    /* Requests for new keys (RFC 8446 section 4.6.3) without so much content in between. */
    TLS_UPDATES_MAX = 32,
    TLS_UPDATE_BYTES = 64 * 1024,

    TLS_CLIENT_SESSIONS_DEFAULT = 256, /* hosts a client can resume with: some KiB each */
    TLS_REASON_BYTES = 96,             /* why a handshake failed, for a line of log */

    /* --- The client --------------------------------------------------------------------- */

    CLIENT_LINKS_DEFAULT = 1024,
    CLIENT_ORIGIN_LINKS_DEFAULT = 256,
    CLIENT_ORIGIN_IDLE_DEFAULT = 32, /* as in nginx and HAProxy: what a burst leaves behind */
    CLIENT_FETCHES_DEFAULT = 16 * 1024,
    CLIENT_KEEP_MS_DEFAULT = 30 * 1000, /* servers give up a connection after 60 s and more */
    /* What we keep ends so much before what the server says: a request that crosses its close on
     * the way is one that has to be sent again. */
    CLIENT_KEEP_MARGIN_MS = 1000,
    CLIENT_CONNECT_MS_DEFAULT = 5 * 1000,
    CLIENT_WAIT_MS_DEFAULT = 30 * 1000,
    CLIENT_FIRST_BYTE_MS_DEFAULT = 60 * 1000,
    CLIENT_SILENCE_MS_DEFAULT = 60 * 1000,
    CLIENT_HTTP1_MS = 10 * 60 * 1000, /* so long HTTP_1_1_REQUIRED is remembered */
    CLIENT_CONTINUE_MS = 1000,        /* RFC 9110 section 10.1.1: a client need not wait for ever */
    /* Informational answers to one request: a page's early hints come in a few. */
    CLIENT_INFORM_COUNT_MAX = 32,
    CLIENT_STEPS_PER_TURN = 256,              /* of one connection's driver before others go on */
    CLIENT_FETCH_BYTES_MAX = 4 * 1024 * 1024, /* strings of one fetch: its heads and trailers */

    ARENA_BLOCK_BYTES = 4 * 1024,
    HELPER_THREADS_DEFAULT = 4, /* threads for blocking file calls: a disk serves few at once */
    HELPER_THREADS_LIMIT = 32,
    HELPER_QUEUE_MAX = 4096,

    /* Routes come from the program's author; these keep a lookup's stack and time bounded. */
    ROUTES_MAX = 10000,             /* each is compared with the others of its host: a second */
    ROUTE_PATTERN_BYTES_MAX = 2048, /* one pattern as written */
    ROUTE_SEGMENTS_MAX = 32,        /* of one pattern: the depth of a lookup */
    ROUTE_SEGMENT_BYTES_MAX = 255,  /* a literal segment, decoded, or a host: NAME_MAX */
    ROUTE_PARAMS_MAX = 16,          /* wildcards with a name in one pattern */
    ROUTE_METHODS_MAX = 32,         /* method tokens of one router beside the nine known ones */
    ROUTER_BYTES_MAX = 128 * 1024 * 1024, /* what one router takes with all of the above at once */
    HOST_NAMES_MAX = 1000000,             /* of one site: a table of 16 MiB */
    SITE_BYTES_MAX = 1024 * 1024 * 1024,  /* memory of one site: hosts, and their routers */
};

#endif
