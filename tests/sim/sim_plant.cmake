# Planted bugs: the simulation must find each of them, or it could not find a real one either.
#
# px_sim_plant(<name> <file in src/> <from> <to>) builds the runner with that text of the file replaced,
# and a test that wants it to fail.  A text that is not there (any more) fails the test: write the plant
# anew.
function(px_sim_plant name file from to)
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
    set_target_properties(sim_plant_${name} PROPERTIES COMPILE_WARNING_AS_ERROR OFF)
    add_test(NAME sim_plant_${name} COMMAND ${CMAKE_COMMAND}
        -DRUN=$<TARGET_FILE:sim_plant_${name}> -P ${CMAKE_CURRENT_SOURCE_DIR}/sim_plant_test.cmake)
    set_tests_properties(sim_plant_${name} PROPERTIES TIMEOUT 300 LABELS sim)
endfunction()

set(engine io/engine_epoll.c)
set(push io/push.c)
px_sim_plant(short_read_is_drained ${engine}
    "!(stream->handle.ready & (READY_HANGUP | READY_ERROR | READY_URGENT))" "true")
px_sim_plant(urgent_not_watched ${engine} "EPOLLIN | EPOLLPRI | EPOLLOUT" "EPOLLIN | EPOLLOUT")
px_sim_plant(end_not_reported ${engine} "stream_report_end(stream, PX_OK);" "{}")
px_sim_plant(write_not_watched ${engine} "EPOLLPRI | EPOLLOUT | EPOLLRDHUP" "EPOLLPRI | EPOLLRDHUP")
px_sim_plant(accept_stops ${engine}
    "timer_start(&loop->timers, &acceptor->retry, loop->now_ms + ACCEPT_RETRY_MS);" "")
px_sim_plant(accept_spins ${engine} "if (!accept_errno_passes(sys_errno)) {" "if (sys_errno == 0) {")
px_sim_plant(interrupt_is_fatal ${push} "} else if (errno != EINTR) {" "} else {")
px_sim_plant(pipe_signal ${push} "int flags = MSG_NOSIGNAL |" "int flags = 0 |")
px_sim_plant(send_offset ${push}
    "(off_t)(part->offset + stream->part_offset)" "(off_t)part->offset")
px_sim_plant(recv_budget_lost ${engine} "        if (budget == 0) {
            loop_again(handle->loop, handle);" "        if (budget == 0) {")

set(stream io/stream.c)
px_sim_plant(inbox_order ${stream}
    "memcpy(stream->inbox, bytes + used, count - used)" "memcpy(stream->inbox, bytes, count - used)")
px_sim_plant(deliver_after_close ${stream} "    stream->handle.flags |= STREAM_CLOSING;
    stream->handle.flags &= (uint16_t) ~(STREAM_RECV | STREAM_PRESENT);"
    "    stream->handle.flags |= STREAM_CLOSING;")
px_sim_plant(cancel_not_reported ${stream} "stream_report_sent(stream, PX_ERR_CANCELLED);" "{}")
px_sim_plant(descriptor_leaks ${stream} "    engine_close(stream);" "    if (stream->sent_bytes)
        engine_close(stream);")
px_sim_plant(inbox_leaks ${stream} "    engine_close(stream);
    inbox_free(stream);" "    engine_close(stream);")
px_sim_plant(parked_bytes_wait ${stream} "STREAM_RECV | STREAM_PRESENT;
    engine_recv(stream);" "STREAM_RECV;
    engine_recv(stream);")

px_sim_plant(real_time_timers io/loop.c "clock_gettime(CLOCK_MONOTONIC, &now);"
    "clock_gettime(CLOCK_REALTIME, &now);")
