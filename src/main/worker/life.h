/*
 * What a process that serves consists of, from its loop to the last line of its log.
 *
 * worker.c makes and ends it; alone.c takes the signals of the one process that there is with -w 0.
 */
#ifndef PX_MAIN_LIFE_H
#define PX_MAIN_LIFE_H

#include "main/answers/gateway.h"
#include "main/health/health_path.h"
#include "main/observe/observe.h"
#include "main/observe/tracer.h"
#include "main/patience.h"
#include "main/worker/channel.h"
#include "main/worker/worker.h"

struct life {
    const struct worker *worker; /* borrowed */
    px_loop *loop;               /* owned */
    px_server *server;           /* owned */
    struct log *log;             /* owned; NULL: none */
    struct tracer *tracer;       /* owned; NULL: none */
    struct channel channel;
    struct health_path health;
    struct observe observe;
    struct gateway gateway;   /* of `pollux proxy` */
    px_timer *watchdog;       /* owned: when the service manager is told that it lives, or NULL */
    px_timer *look;           /* owned: when files are looked at, or NULL */
    px_timer *counting;       /* owned: when this process is looked at */
    struct patience patience; /* of the end, whose hurry may come at any time */
    bool is_draining;
    bool is_ending;  /* the server is gone, or about to be: what is left is written */
    bool has_failed; /* a socket could not be served */
};

/* What holds of a life whose server runs. */
void life_check(const struct life *life);

/* At once; while it ends anyway, its waits become short ones. */
void life_stop(struct life *life);

void life_drain_with(struct life *life, const px_drain_options *options);

/* As the options say, behind a delay. */
void life_drain(struct life *life, uint32_t delay_ms);

#endif
