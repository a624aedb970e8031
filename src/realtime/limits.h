/*
 * The limits of WebSockets, streams of events, topics and hubs that are fixed, with their reasons;
 * what they may take of a loop in sum is in base/limits.h, and what options change is in the public
 * headers.
 */
#ifndef PX_REALTIME_LIMITS_H
#define PX_REALTIME_LIMITS_H

enum {
    SOCKET_CHUNK_FIRST_BYTES = 256,  /* of frames that wait: an answer, alone */
    SOCKET_CHUNK_BYTES = 4 * 1024,   /* ... and behind others */
    OUTBOX_LOOK_COUNT = 4,           /* frames that are weighed, for all that wait */
    SOCKET_SCRATCH_BYTES = 4 * 1024, /* a message up to this is put together on the stack */
    SOCKET_MESSAGE_FIRST_BYTES = 4 * 1024,
    SOCKET_MESSAGE_ROOM_MIN = 512, /* the least that is inflated at once */
    SOCKET_RETRY_MS = 20,          /* a message that finds no memory asks again ... */
    SOCKET_STARVE_MS = 5 * 1000,   /* ... for so long */
    /* What one socket reads before others go on: inflating that takes half a millisecond. */
    SOCKET_TURN_BYTES = 256 * 1024,
    SOCKET_TURN_EVENTS = 4096,
    SOCKET_SLICE_BYTES = 32 * 1024, /* of a message, deflated in a turn: a millisecond or two */
    SOCKET_SLICES_WAITING_BYTES = 256 * 1024, /* that are made before some of it is sent */
    TOPIC_DEFLATE_BYTES_MAX = 128 * 1024,     /* a larger message of a topic is sent as it is */
    WORK_INFLATE_BYTES = 512,                 /* that came out of an inflater: a unit of work */
    SOCKET_STEP_BYTES = 64 * 1024,            /* what comes of one step, however far it inflates */
    TOPIC_TURN_COUNT = 128,          /* subscribers that are given a message before these send it */
    HUB_LINKS_MAX = 256,             /* other members of a hub: more than a machine has CPUs */
    HUB_BACKLOG_BYTES = 1024 * 1024, /* packets that wait for one of them */
    HUB_TURN_COUNT = 64,             /* packets of one of them before others go on */
    TOPIC_WAITING_MAX = 1024,        /* messages that are not handed out: then PX_FULL */
};

#endif
