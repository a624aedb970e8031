"""Makes a running process call the kernel, as an intruder's code in it would (x86-64, ptrace).

Happy path: `call(pid, NUMBER, arguments)` stops a process that sleeps in a system call, lets it make
another one, and puts it back; the result is what the kernel answered.  `None` when the process was
sent SIGSYS for it, and was left to die of that.
"""

import ctypes
import os
import signal
import time

PEEKDATA, POKEDATA, GETREGS, SETREGS, ATTACH, DETACH, SYSCALL = 2, 5, 12, 13, 16, 17, 24
SYSCALL_INSTRUCTION = 0x050F  # 0f 05, as the low half of a little-endian word
TEXT_AT = 4096                # below the stack pointer: far behind its red zone
WALL = 0x40000000
# What a call that sleeps has returned by then: EINTR, or one of the four ERESTART of the kernel.  Any
# other result is that of a call which is done, and to make it once more would send a message twice.
INTERRUPTED = (-4, -512, -513, -514, -516)

NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
         "fs_base gs_base ds es fs gs").split()  # fmt: skip
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in NAMES]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, pid, address=0, data=0):
    ctypes.set_errno(0)
    result = _libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno() != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _wait(pid):
    _, status = os.waitpid(pid, WALL)
    assert os.WIFSTOPPED(status), f"status {status:#x}"
    return os.WSTOPSIG(status)


def _registers(pid):
    registers = Registers()
    _ptrace(GETREGS, pid, 0, ctypes.addressof(registers))
    return registers


def _set_registers(pid, registers):
    _ptrace(SETREGS, pid, 0, ctypes.addressof(registers))


def _attach(pid, seconds):
    """Stops it while it sleeps in a system call; its registers."""
    end = time.monotonic() + seconds
    while True:
        _ptrace(ATTACH, pid)
        while _wait(pid) != signal.SIGSTOP:
            pass
        registers = _registers(pid)
        word = _ptrace(PEEKDATA, pid, registers.rip - 2) & 0xFFFF
        is_call = ctypes.c_longlong(registers.orig_rax).value >= 0 and word == SYSCALL_INSTRUCTION
        if is_call and ctypes.c_longlong(registers.rax).value in INTERRUPTED:
            return registers
        _ptrace(DETACH, pid)
        assert time.monotonic() < end, "it never sleeps in a system call"
        time.sleep(0.02)


def _poke(pid, address, data):
    data += bytes(-len(data) % 8)
    for at in range(0, len(data), 8):
        _ptrace(POKEDATA, pid, address + at, int.from_bytes(data[at : at + 8], "little"))


def _bury(pid, seconds=2.0):
    """A process that was killed while it was traced is told to its parent once its tracer has heard."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end and os.waitpid(pid, os.WNOHANG | WALL)[0] == 0:
            time.sleep(0.01)
    except ChildProcessError:
        pass


def call(pid, number, arguments=(), seconds=5.0):
    """The result of system call `number`; bytes among the arguments are put into its memory."""
    try:
        return _call(pid, number, arguments, seconds)
    except (AssertionError, OSError):
        _bury(pid)
        raise


def _call(pid, number, arguments, seconds):
    before = _attach(pid, seconds)
    registers = Registers.from_buffer_copy(before)
    place = before.rsp - TEXT_AT
    for name, argument in zip(ARGUMENTS, arguments):
        if isinstance(argument, bytes):
            _poke(pid, place, argument + b"\0")
            argument, place = place, place + len(argument) + 8
        setattr(registers, name, argument & (1 << 64) - 1)
    registers.rip -= 2
    registers.rax = number
    registers.orig_rax = (1 << 64) - 1  # nothing is to be restarted
    _set_registers(pid, registers)
    for _ in range(2):  # the stop before the call, the stop behind it
        _ptrace(SYSCALL, pid)
        assert _wait(pid) & 0x7F == signal.SIGTRAP
    result = ctypes.c_longlong(_registers(pid).rax).value
    if result == number:  # the filter has rolled the call back, and sends its signal
        _ptrace(SYSCALL, pid)
        assert _wait(pid) == signal.SIGSYS
        _ptrace(DETACH, pid, 0, signal.SIGSYS)
        return None
    again = Registers.from_buffer_copy(before)
    again.rip -= 2
    again.rax = before.orig_rax
    again.orig_rax = (1 << 64) - 1
    _set_registers(pid, again)
    _ptrace(DETACH, pid)
    return result
