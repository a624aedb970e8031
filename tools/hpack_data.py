#!/usr/bin/python3
"""Makes src/http/h2/hpack_data.c: the tables of RFC 7541.

    tools/hpack_data.py > src/http/h2/hpack_data.c

The Huffman code of appendix B is canonical: the lengths of its codes say all of it.  The static
table of appendix A gets a perfect hash of its names.  tests/tools/hpack_data_test.py makes the file anew
and compares.
"""
import sys

# Appendix B: how many bits each byte takes, and EOS last; "a*n" is a, n times.
LENGTHS = """13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6
12 10 13 6 7*22 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22
20*2 22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21
22 23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26
27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2 27*5 28 27*5
26 30"""

# Appendix A.
STATIC = """:authority :method|GET :method|POST :path|/ :path|/index.html :scheme|http :scheme|https
:status|200 :status|204 :status|206 :status|304 :status|400 :status|404 :status|500 accept-charset
accept-encoding|gzip,_deflate accept-language accept-ranges accept access-control-allow-origin age
allow authorization cache-control content-disposition content-encoding content-language
content-length content-location content-range content-type cookie date etag expect expires from host
if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location
max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server
set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate"""

HEAD = """/*
 * The tables of RFC 7541.  Made by tools/hpack_data.py; change it there.
 */
#include "http/h2/hpack_data.h"

/* clang-format off */
"""

EMIT, ACCEPT, FAIL = 1, 2, 4
HASH_SLOTS = 128
FACTORS = (55, 62, 14)  # found by trying all: no two names have one slot


def lengths():
    out = []
    for word in LENGTHS.split():
        bits, _, times = word.partition("*")
        out += [int(bits)] * int(times or 1)
    assert len(out) == 257
    return out


def codes(bits):
    out = [0] * len(bits)
    code = before = 0
    for symbol in sorted(range(len(bits)), key=lambda symbol: (bits[symbol], symbol)):
        code <<= bits[symbol] - before
        before = bits[symbol]
        out[symbol] = code
        code += 1
    assert code == 1 << before  # every string of bits is one code or the beginning of one
    return out


def machine(bits, values):
    """For each state and four bits: the next state, flags, a byte."""
    nodes = [[None, None]]
    for symbol, (width, code) in enumerate(zip(bits, values)):
        at = 0
        for place in range(width - 1, -1, -1):
            bit = code >> place & 1
            if place == 0:
                nodes[at][bit] = ("symbol", symbol)
            else:
                if nodes[at][bit] is None:
                    nodes.append([None, None])
                    nodes[at][bit] = ("node", len(nodes) - 1)
                at = nodes[at][bit][1]
    assert len(nodes) == 256
    # Padding is at most seven bits, all ones (section 5.2).
    accepts, at = {0}, 0
    for _ in range(7):
        at = nodes[at][1][1]
        accepts.add(at)
    rows = []
    for state in range(256):
        row = []
        for nibble in range(16):
            at, flags, byte = state, 0, 0
            for place in range(3, -1, -1):
                kind, value = nodes[at][nibble >> place & 1]
                if kind == "node":
                    at = value
                elif value == 256:
                    at, flags = 0, FAIL
                    break
                else:
                    assert not flags & EMIT
                    at, flags, byte = 0, flags | EMIT, value
            if at in accepts and not flags & FAIL:
                flags |= ACCEPT
            row.append((at, flags, byte))
        rows.append(row)
    return rows


def pairs():
    out = []
    for word in STATIC.split():
        name, _, value = word.partition("|")
        if not name:
            continue
        out.append((name, value.replace("_", " ")))
    assert len(out) == 61
    return out


def slot(name, factors):
    first, middle, last = (ord(name[at]) for at in (0, len(name) // 2, -1))
    return (len(name) * factors[0] + first * factors[1] + middle * factors[2] + last) % HASH_SLOTS


def rows(values, a_row):
    return "\n".join("    " + " ".join(f"{value}," for value in values[at:at + a_row])
                     for at in range(0, len(values), a_row))


def render():
    bits = lengths()
    values = codes(bits)
    table = pairs()
    factors = FACTORS
    assert len({slot(name, factors) for name, _ in table}) == len({name for name, _ in table})
    slots = [0] * HASH_SLOTS
    for index in range(len(table), 0, -1):  # the first of a name stays
        slots[slot(table[index - 1][0], factors)] = index
    out = [HEAD]
    out.append("const struct hpack_pair hpack_static[HPACK_STATIC_COUNT] = {")
    for name, value in table:
        out.append(f'    {{{{"{name}", {len(name)}}}, {{"{value}", {len(value)}}}}},')
    out.append("};\n")
    out.append(f"const struct hpack_hash hpack_static_hash = {{{factors[0]}, {factors[1]}, "
               f"{factors[2]}, {{")
    out.append(rows(slots, 16) + "\n}};\n")
    out.append("const struct hpack_code hpack_codes[HPACK_SYMBOL_COUNT] = {")
    out.append(rows([f"{{0x{code:x}, {width}}}" for code, width in zip(values, bits)], 6) + "\n};\n")
    out.append("const struct hpack_step hpack_steps[256][16] = {")
    for row in machine(bits, values):
        out.append("    {" + ", ".join("{%d, %d, %d}" % step for step in row) + "},")
    out.append("};")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
