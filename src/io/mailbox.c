/*
 * The mailbox.  Its memory comes from the loop's allocator, which must therefore be safe to call
 * from the threads that post (malloc is).
 */
#include "io/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "io/io.h"
#include "io/posted.h"

struct px_mailbox {
    px_allocator allocator;
    atomic_uint references;
    pthread_mutex_t mutex; /* guards what follows */
    struct mailbox_post *first;
    struct mailbox_post **last;
    bool closed;
    int fd;              /* owned */
    px_loop *loop;       /* borrowed; NULL once it is gone */
    struct list waiting; /* the loop's thread alone */
};

px_mailbox *mailbox_create(px_loop *loop)
{
    const px_allocator *allocator = &loop->allocator;
    px_mailbox *mailbox = alloc_take_zeroed(allocator, sizeof(*mailbox));

    if (!mailbox) {
        errno = ENOMEM;
        return NULL;
    }
    mailbox->allocator = *allocator;
    mailbox->loop = loop;
    mailbox->last = &mailbox->first;
    list_init(&mailbox->waiting);
    atomic_init(&mailbox->references, 1);
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->fd < 0) {
        alloc_put(allocator, mailbox);
        return NULL;
    }
    int sys_errno = pthread_mutex_init(&mailbox->mutex, NULL);

    if (sys_errno != 0) {
        close(mailbox->fd);
        alloc_put(allocator, mailbox);
        errno = sys_errno;
        return NULL;
    }
    return mailbox;
}

px_loop *mailbox_loop(const px_mailbox *mailbox)
{
    return mailbox->loop;
}

struct list *mailbox_waiting(px_mailbox *mailbox)
{
    return &mailbox->waiting;
}

void *mailbox_alloc(px_mailbox *mailbox, size_t bytes)
{
    return alloc_take(&mailbox->allocator, bytes);
}

void mailbox_free(px_mailbox *mailbox, void *ptr)
{
    alloc_put(&mailbox->allocator, ptr);
}

int mailbox_fd(const px_mailbox *mailbox)
{
    return mailbox->fd;
}

px_err mailbox_renew(px_mailbox *mailbox, px_error *out_error)
{
    int fd = eventfd(mailbox->first ? 1 : 0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return error_set(out_error, error_category(errno), errno,
                         "cannot create an event descriptor: %s", strerror(errno));
    close(mailbox->fd);
    mailbox->fd = fd;
    return PX_OK;
}

px_mailbox *px_mailbox_retain(px_mailbox *mailbox)
{
    CHECK(atomic_load(&mailbox->references) > 0);
    atomic_fetch_add_explicit(&mailbox->references, 1, memory_order_relaxed);
    return mailbox;
}

void px_mailbox_release(px_mailbox *mailbox)
{
    if (!mailbox || atomic_fetch_sub_explicit(&mailbox->references, 1, memory_order_acq_rel) != 1)
        return;
    px_allocator allocator = mailbox->allocator;

    close(mailbox->fd);
    pthread_mutex_destroy(&mailbox->mutex);
    alloc_put(&allocator, mailbox);
}

void mailbox_wake(px_mailbox *mailbox)
{
    uint64_t one = 1;
    int saved = errno;

    /* A full counter means that the loop is awake already. */
    ssize_t ignored = write(mailbox->fd, &one, sizeof(one));

    (void)ignored;
    errno = saved;
}

px_err mailbox_push(px_mailbox *mailbox, struct mailbox_post *post)
{
    CHECK(post->call);
    post->next = NULL;
    pthread_mutex_lock(&mailbox->mutex);
    if (mailbox->closed) {
        pthread_mutex_unlock(&mailbox->mutex);
        return PX_ERR_CLOSED;
    }
    bool first = mailbox->first == NULL;

    *mailbox->last = post;
    mailbox->last = &post->next;
    pthread_mutex_unlock(&mailbox->mutex);
    if (first)
        mailbox_wake(mailbox);
    return PX_OK;
}

px_err px_mailbox_post(px_mailbox *mailbox, px_post_fn call, void *context)
{
    struct mailbox_post *post = alloc_take(&mailbox->allocator, sizeof(*post));

    if (!post)
        return PX_ERR_MEMORY;
    post->call = call;
    post->context = context;
    post->owned = true;
    px_err err = mailbox_push(mailbox, post);

    if (err != PX_OK)
        alloc_put(&mailbox->allocator, post);
    return err;
}

static struct mailbox_post *mailbox_pop(px_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    struct mailbox_post *post = mailbox->first;

    if (post) {
        mailbox->first = post->next;
        if (!mailbox->first)
            mailbox->last = &mailbox->first;
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return post;
}

/* An embedded post may be freed by its call, so nothing of it is read afterwards. */
static void post_call(px_mailbox *mailbox, struct mailbox_post *post, px_err status)
{
    px_post_fn call = post->call;
    void *context = post->context;

    if (post->owned)
        alloc_put(&mailbox->allocator, post);
    call(status, context);
}

bool mailbox_run(px_mailbox *mailbox, uint32_t budget)
{
    uint64_t count;
    ssize_t ignored = read(mailbox->fd, &count, sizeof(count));

    CHECK(mailbox->loop && budget > 0);
    (void)ignored;
    for (uint32_t ran = 0; ran < budget; ran++) {
        if (ran >= POSTS_MIN && work_is_over(&mailbox->loop->work))
            break;
        struct mailbox_post *post = mailbox_pop(mailbox);

        if (!post)
            return false;
        work_count(&mailbox->loop->work, WORK_POST);
        post_call(mailbox, post, PX_OK);
    }
    /* The next post sees a queue that is not empty and does not wake us: do it ourselves. */
    mailbox_wake(mailbox);
    return true;
}

void mailbox_close(px_mailbox *mailbox)
{
    CHECK(!mailbox->closed);
    pthread_mutex_lock(&mailbox->mutex);
    mailbox->closed = true;
    mailbox->loop = NULL;
    pthread_mutex_unlock(&mailbox->mutex);
    for (struct mailbox_post *post; (post = mailbox_pop(mailbox)) != NULL;)
        post_call(mailbox, post, PX_ERR_CANCELLED);
    posted_cancel_all(mailbox);
}
