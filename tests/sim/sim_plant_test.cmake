# Runs a runner with a planted bug over seeds until it fails, and checks that it says how to replay.
execute_process(COMMAND ${RUN} ${SCENARIO} --seeds 1..3000 --quiet --uncounted
    OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE result)
if(NOT result EQUAL 1)
    message(FATAL_ERROR "the planted bug was not found (status ${result})\n${said}")
endif()
if(NOT said MATCHES "replay: ([^\n]+)")
    message(FATAL_ERROR "a failure without the command that replays it\n${said}")
endif()
message(STATUS "found: ${CMAKE_MATCH_1}")
