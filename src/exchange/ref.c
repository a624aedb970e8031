/*
 * Names of exchanges that outlive them: px_ref, and calls posted to one from any thread.
 *
 * Happy path: a reference finds its server by a number that is given once, and the exchange by slot
 * and generation.  What has ended is not found; what cannot be posted is said to the caller.
 */
#include "exchange/exchange_private.h"
#include "io/mailbox.h"

struct ref_post {
    px_ref ref; /* a reference of its own */
    px_ref_fn call;
    void *context;
};

px_ref px_exchange_ref(px_exchange *exchange)
{
    exchange->handling.is_referred = true;
    px_ref ref = {px_loop_mailbox(exchange->service->loop), exchange->service->id,
                  exchange->item.slot, exchange->item.generation};

    return ref;
}

px_exchange *px_ref_get(const px_ref *ref)
{
    px_loop *loop = ref->mailbox ? mailbox_loop(ref->mailbox) : NULL;
    struct loop_tenant *tenant = loop ? loop_tenant_find(loop, ref->server) : NULL;

    if (!tenant)
        return NULL;
    struct exchange_service *service = CONTAINER_OF(tenant, struct exchange_service, tenant);
    px_exchange *exchange = pool_find(&service->exchanges, ref->slot, ref->generation);

    return exchange && exchange->transport ? exchange : NULL;
}

void px_ref_release(px_ref *ref)
{
    px_mailbox_release(ref->mailbox);
    ref->mailbox = NULL;
}

static void ref_run(px_err status, void *context)
{
    struct ref_post post = *(struct ref_post *)context;
    px_exchange *exchange = status == PX_OK ? px_ref_get(&post.ref) : NULL;

    mailbox_free(post.ref.mailbox, context);
    post.call(exchange, status == PX_OK && !exchange ? PX_ERR_CLOSED : status, post.context);
    px_ref_release(&post.ref);
}

px_err px_ref_post(const px_ref *ref, px_ref_fn call, void *context)
{
    struct ref_post *post = mailbox_alloc(ref->mailbox, sizeof(*post));

    if (!post)
        return PX_ERR_MEMORY;
    post->ref = *ref;
    post->call = call;
    post->context = context;
    px_mailbox_retain(ref->mailbox);
    px_err err = px_mailbox_post(ref->mailbox, ref_run, post);

    if (err != PX_OK) {
        mailbox_free(ref->mailbox, post);
        px_mailbox_release(ref->mailbox);
    }
    return err;
}
