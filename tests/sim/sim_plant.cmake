# Planted bugs: the simulation must find each of them, or it could not find a real one either.
#
# px_sim_plant(<name> <scenario> <file in src/> <from> <to>) builds the runner with that text of the file replaced,
# and a test that wants it to fail.  A text that is not there (any more) fails the test: write the plant
# anew.
function(px_sim_plant name scenario file from to)
    set(text "")
    if(EXISTS ${PROJECT_SOURCE_DIR}/src/${file})
        file(READ ${PROJECT_SOURCE_DIR}/src/${file} text)
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        ${PROJECT_SOURCE_DIR}/src/${file})
    string(FIND "${text}" "${from}" at)
    if(at EQUAL -1)
        # The tree still builds; the test says what is wrong.
        set(text "the plant ${name} finds nothing to replace in src/${file}: write it anew")
        file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/plant/${name}.cmake
            CONTENT "message(FATAL_ERROR \"${text}\")\n" @ONLY)
        add_test(NAME sim_plant_${name}
            COMMAND ${CMAKE_COMMAND} -P ${CMAKE_CURRENT_BINARY_DIR}/plant/${name}.cmake)
        set_tests_properties(sim_plant_${name} PROPERTIES LABELS sim)
        return()
    endif()
    string(REPLACE "${from}" "${to}" text "${text}")
    set(planted ${CMAKE_CURRENT_BINARY_DIR}/plant/${name}.c)
    file(CONFIGURE OUTPUT ${planted} CONTENT "${text}" @ONLY)
    px_sim_run(sim_plant_${name} REPLACE ${file} BY ${planted})
    target_include_directories(sim_plant_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    # What a bug leaves unused is part of the bug.
    target_compile_options(sim_plant_${name} PRIVATE -w)
    add_test(NAME sim_plant_${name} COMMAND ${CMAKE_COMMAND}
        -DRUN=$<TARGET_FILE:sim_plant_${name}> -DSCENARIO=${scenario}
        -P ${CMAKE_CURRENT_SOURCE_DIR}/sim_plant_test.cmake)
    set_tests_properties(sim_plant_${name} PROPERTIES TIMEOUT 300 LABELS sim)
endfunction()

set(engine io/engine_epoll.c)
set(engine_accept io/engine_epoll_accept.c)
set(push io/push.c)
px_sim_plant(short_read_is_drained stream ${engine}
    "!(stream->handle.ready & (READY_HANGUP | READY_ERROR | READY_URGENT))" "true")
px_sim_plant(urgent_not_watched stream ${engine} "EPOLLIN | EPOLLPRI | EPOLLOUT" "EPOLLIN | EPOLLOUT")
px_sim_plant(end_not_reported stream ${engine} "stream_report_end(stream, PX_OK);" "{}")
px_sim_plant(write_not_watched stream ${engine} "EPOLLPRI | EPOLLOUT | EPOLLRDHUP" "EPOLLPRI | EPOLLRDHUP")
px_sim_plant(accept_stops stream ${engine_accept}
    "timer_start(&loop->timers, &acceptor->retry, loop->now_ms + ACCEPT_RETRY_MS);" "")
px_sim_plant(accept_spins stream ${engine_accept} "!accept_error_passes(sys_errno)" "sys_errno == 0")
px_sim_plant(interrupt_is_fatal stream ${push} "} else if (errno != EINTR) {" "} else {")
px_sim_plant(pipe_signal stream ${push} "int flags = MSG_NOSIGNAL |" "int flags = 0 |")
px_sim_plant(send_offset stream ${push}
    "(off_t)(part->offset + stream->part_offset)" "(off_t)part->offset")
px_sim_plant(recv_budget_lost stream ${engine} "        if (budget == 0) {
            loop_again(handle->loop, handle);" "        if (budget == 0) {")

set(stream io/stream.c)
px_sim_plant(inbox_order stream ${stream}
    "loop, bytes + used, count - used," "loop, bytes, count - used,")
px_sim_plant(deliver_after_close stream ${stream} "    stream->handle.flags |= STREAM_CLOSING;
    stream->handle.flags &= (uint16_t) ~(STREAM_RECV | STREAM_PRESENT);"
    "    stream->handle.flags |= STREAM_CLOSING;")
px_sim_plant(cancel_not_reported stream ${stream} "stream_report_sent(stream, PX_ERR_CANCELLED);" "{}")
px_sim_plant(descriptor_leaks stream ${stream} "    engine_close(stream);" "    if (stream->sent_bytes)
        engine_close(stream);")
px_sim_plant(inbox_leaks stream ${stream} "    engine_close(stream);
    inbox_free(&stream->inbox, loop);" "    engine_close(stream);")
px_sim_plant(parked_bytes_wait stream ${stream} "STREAM_RECV | STREAM_PRESENT;
    engine_recv(stream);" "STREAM_RECV;
    engine_recv(stream);")

px_sim_plant(real_time_timers stream io/loop.c "clock_gettime(CLOCK_MONOTONIC, &now);"
    "clock_gettime(CLOCK_REALTIME, &now);")

px_sim_plant(post_wakes_nobody loop io/mailbox.c "    if (first)
        mailbox_wake" "    if (!first)
        mailbox_wake")
px_sim_plant(posts_forgotten loop io/mailbox.c
    "post_call(mailbox, post, PX_ERR_CANCELLED);" "(void)post;")
px_sim_plant(timer_early loop io/timer.c
    "heap->nodes[0]->due_ms <= now_ms" "heap->nodes[0]->due_ms <= now_ms + 1")
px_sim_plant(timer_order loop io/timer.c
    "if (index > 0 && heap->nodes[(index - 1) / 2]->due_ms > last->due_ms)" "if (false)")
px_sim_plant(dial_never_gives_up dial net/dial.c "loop->now_ms >= dial->deadline_ms" "false")
px_sim_plant(dial_takes_errors_for_success dial net/dial.c
    "if (sys_errno == 0) {" "if (sys_errno != ENOMEM) {")

px_sim_plant(no_content_waits http server/h1/h1_read.c
    "parser->content_length == 0))" "parser->content_length == 0 && false))")
px_sim_plant(abort_looks_whole http server/session/session.c
    "if (protocol->cut_short && protocol->cut_short(session))
        session->reset = true;" "session->reset = false;")
px_sim_plant(end_forgotten http exchange/service.c
    "        if (exchange_tells_end(exchange))
            exchange_tell_end("
    "        if (exchange->end != PX_END_PEER_GONE && exchange_tells_end(exchange))
            exchange_tell_end(")
px_sim_plant(source_kept http exchange/service.c "    exchange_release_content(exchange);" "")
px_sim_plant(site_not_pinned sites exchange/service.c "exchange->site->holds++;"
    "exchange->site->holds += exchange->item.slot % 2;")
px_sim_plant(wake_forgotten http server/h1/h1.c "if (!h1->conn.session.driving"
    "if (h1->conn.session.driving")

if(PX_HTTP2)
    px_sim_plant(h2_held_lost http2 server/h2/h2_read.c
        "if (buf_append(&request->held, bytes) == PX_OK)" "if (bytes.ptr)")
    px_sim_plant(h2_broken_looks_whole http2 http/h2/h2_render.c "    if (pull == PX_PULL_ERROR) {
        h2_engine_reset(engine, stream, H2_INTERNAL_ERROR);
        return true;
    }" "    if (pull == PX_PULL_ERROR)
        pull = PX_PULL_END;")
    px_sim_plant(h2_resume_lost http2 http/h2/h2_session.c
        "if (stream->id == 0 || !stream->waiting)" "if (stream->id != 1)")
endif()
px_sim_plant(end_without_close_notify tls conduit/tls_conduit.c
    "        tls_session_close(&tls->session);
        if (!tls_flush(tls) &&" "        if (!tls_flush(tls) &&")

px_sim_plant(file_piece_twice http exchange/source.c
    "    exchange->output.produced += length;
    /* What follows" "    exchange->output.produced += length / 2 + 1;
    /* What follows")
px_sim_plant(file_waiter_forgotten http handlers/files/files_load.c
    "want_done(exchange, load->files" "want_done(waiter->next ? exchange : NULL, load->files")
px_sim_plant(file_entry_kept http handlers/files/files_content.c
    "static void content_release(void *context)
{
    files_entry_put(context);" "static void content_release(void *context)
{
    (void)context;")

# What no answer shows: counts that drift are found by what is stated of each tick (session_check.c
# and its like) alone.
px_sim_plant(idle_is_counted_twice http server/session/session.c
    "server->idle_count += (wait == WAIT_IDLE) - (session->wait == WAIT_IDLE);"
    "server->idle_count += (wait == WAIT_IDLE);")
px_sim_plant(head_is_counted_twice http server/session/session.c
    "(uint32_t)is_head((uint8_t)wait) - (uint32_t)is_head(session->wait)" "(uint32_t)is_head((uint8_t)wait)")
px_sim_plant(head_bytes_stay_counted http2 server/h2/h2_share.c
    "h2->head_bytes -= request->head_bytes" "h2->head_bytes -= 0")
px_sim_plant(topic_waiting_counted_on talk realtime/topic.c "    topic->waiting_count--;
" "")
px_sim_plant(fetch_repeats_posts fetch client/fetch.c
    "(fetch->facts.kept && http_method_is_idempotent(request->method_id))" "fetch->facts.kept")
px_sim_plant(fetch_cut_looks_whole fetch client/h1_link_read.c
    "    px_err err = h1_body_eof(&link->work->body);
" "    px_err err = PX_OK;
")
px_sim_plant(fetch_held_lost fetch client/h1_link_read.c
    "    work->held += (uint32_t)(content.len - used);
    link->in_used -= content.len - used;" "")
px_sim_plant(fetch_tls_resumes_lost fetch_tls client/fetch.c
    "    loop_task_add(fetch->client->loop, &fetch->link->wake);
}" "}")
px_sim_plant(fetch_h2_credit_lost fetch_http2 client/h2_link.c
    "        h2_client_give(link->h2, &fetch->call, (uint32_t)used);" "")
px_sim_plant(fetch_h2_held_twice fetch_http2 client/h2_link.c
    "        buf_consume(&fetch->held, used);" "        buf_consume(&fetch->held, used / 2);")

# What is late, kept or forgotten without any answer that shows it: found by the same.
px_sim_plant(deadline_behind_another http server/session/deadline.c
    "if (!timer_started(&wheel->timer) || wheel->timer.due_ms > step * DEADLINE_STEP_MS)"
    "if (!timer_started(&wheel->timer))")
px_sim_plant(drain_forgets_the_idle http server/session/drain.c
    "else if (!drain->ends_idle && drain->idle_ms < due_ms)" "else if (false)")
px_sim_plant(cache_never_grows_old http io/cache.c "    if (!timer_started(timer))
        timer_start" "    if (timer_started(timer))
        timer_start")
px_sim_plant(linger_has_no_end http server/session/session.c
    "    if (due_ms == UINT64_MAX)
        deadline_clear(" "    if (due_ms == UINT64_MAX || wait == WAIT_LINGER)
        deadline_clear(")
px_sim_plant(head_may_take_longer http server/session/session.c
    "UINT64_MAX : now_ms + duration_ms;" "UINT64_MAX : now_ms + 2 * (uint64_t)duration_ms;")
px_sim_plant(fetch_kept_for_good fetch client/link.c
    "        if (!timer_started(&link->timer) || link->timer.due_ms > link->due_ms)
            timer_start(&client->loop->timers, &link->timer, link->due_ms);" "        (void)client;")
px_sim_plant(fetch_ends_late fetch client/fetch.c
    "(timer_started(&fetch->timer) && fetch->timer.due_ms <= due_ms))" "timer_started(&fetch->timer))")
px_sim_plant(fetch_idle_counted_on fetch client/link.c "    link->origin->idle_count--;
" "")
px_sim_plant(fetch_opening_counted_on fetch client/link.c "    link->origin->opening_count--;
    link->stage = LINK_OPEN;" "    link->stage = LINK_OPEN;")
px_sim_plant(fetch_origin_waits_alone fetch client/origin.c
    "        wanting_add(origin);
    wait_drained(origin);" "        return;
    wait_drained(origin);")
px_sim_plant(fetch_ready_sleeps fetch_http2 client/fetch.c
    "    fetch_moved(fetch);
    loop_task_add(fetch->client->loop, &fetch->link->wake);" "    fetch_moved(fetch);")
px_sim_plant(proxy_answer_mixed proxy proxy/passage_fetch.c
    "    return sent + used;" "    return sent + used / 2;")
px_sim_plant(proxy_resume_lost proxy proxy/passage_fetch.c
    "    if (flow_let_go(&passage->answer) && passage->fetch)
        px_fetch_resume(passage->fetch);" "    (void)flow_let_go(&passage->answer);")
px_sim_plant(proxy_cut_looks_whole proxy proxy/passage_fetch.c
    "    passage->answer.broken = true;" "    passage->answer.ended = true;")
px_sim_plant(file_waiter_counted_on http handlers/files/files_load.c "        load->files->waiting--;
" "")
