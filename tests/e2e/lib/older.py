"""Starts a program on a kernel that refuses some system calls, as older ones and container run times do."""

import ctypes
import struct


def instruction(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)


def refusing(numbers, error):
    """A preexec_fn: each of these system calls fails with `error`, for the program and its children."""
    body = [instruction(0x20, 0, 0, 0)]  # load the number
    for left, number in zip(range(len(numbers), 0, -1), numbers):
        body.append(instruction(0x15, left, 0, number))
    body.append(instruction(0x06, 0, 0, 0x7FFF0000))
    body.append(instruction(0x06, 0, 0, 0x00050000 | error))
    program = b"".join(body)
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(_alive=code):
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        assert libc.prctl(22, 2, head, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER

    return install
