/*
 * An exchange that its handler has forgotten: it returned without an answer and has kept nothing by
 * which it could give one, or hear that the peer has left.
 *
 * Its peer waits until a deadline ends it, if there is one.  Whether the program has forgotten it,
 * or has kept its bare address and will be lucky, cannot be told from here: so this is looked at
 * where the program asks for its rules to be looked at, and only there.  Then it is answered 500 at
 * once, as for any rule that is broken, and the program hears of it.
 */
#include "exchange/exchange_private.h"

/* Whether content that is to come is given to the program. */
static bool is_receiving(const px_exchange *exchange)
{
    const struct input_more *input = exchange->input.more;

    if (!input)
        return false;
    return ((input->on_collected || input->multipart) && !input->told) || input->save ||
           input->held;
}

px_verdict exchange_run_middleware(px_exchange *exchange, px_middleware_fn run, void *context)
{
    const struct end_hook *ends = exchange->handling.ends;
    px_verdict verdict = run(exchange, context);

    if (verdict == PX_STOP)
        exchange_look_forgotten(exchange, ends);
    return verdict;
}

void exchange_look_forgotten(px_exchange *exchange, const struct end_hook *ends_before)
{
    const struct exchange_handling *handling = &exchange->handling;

    if (!exchange->service->loop->told.checks_rules || !exchange_alive(exchange) ||
        exchange_is_settled(exchange))
        return;
    /* A px_ref, callbacks, a function at the end; what goes on with the chain. */
    if (handling->is_referred || handling->callbacks || handling->ends != ends_before ||
        list_linked(&exchange->node) || is_receiving(exchange))
        return;
    exchange_break(exchange, PX_END_ABORTED,
                   "no answer, and nothing kept to give one by: callbacks or a px_ref");
}
