"""RFC 7541: what a field block must not be.  A decoding error is a connection error
COMPRESSION_ERROR (RFC 9113 section 4.3), whichever it was."""

from http2.case import Fine, Goaway, Table
from lib.h2frames import *  # noqa: F403

TABLE = Table("7541")
add = TABLE.add

BLOCK = literals(get())


def wrong(section, name, rule, block):
    add(section, name, rule, headers(1, block), Goaway(COMPRESSION_ERROR))


wrong("2.3.3", "index-62-of-empty-table", "an index beyond both tables MUST be a decoding error", BLOCK + b"\xbe")
wrong("2.3.3", "index-far-away", "an index beyond both tables MUST be a decoding error", BLOCK + integer(5000, 7, 0x80))
wrong("2.3.3", "name-index-far-away", "an index beyond both tables MUST be a decoding error", BLOCK + integer(99, 6, 0x40) + text("x"))
wrong("4.2", "update-not-first", "a size update MUST be at the beginning of a block", BLOCK + b"\x20")
wrong("4.2", "update-between", "a size update MUST be at the beginning of a block", literals(get()[:2]) + b"\x20" + literals(get()[2:]))
wrong("5.1", "integer-overflow", "an integer beyond what is implemented MUST be a decoding error", BLOCK + b"\xff" + b"\xff" * 9 + b"\x7f")
wrong("5.1", "integer-of-zeros", "an integer encoded in too many octets MUST be a decoding error", BLOCK + b"\0" + text("x") + b"\x7f" + b"\x80" * 60 + b"\0" + b"a" * 127)
wrong("5.1", "integer-cut-off", "an integer that does not end", BLOCK + b"\xff\x80")
wrong("5.1", "length-overflow", "an integer beyond what is implemented MUST be a decoding error", BLOCK + b"\0\x7f\xff\xff\xff\xff\xff\xff")
wrong("5.2", "string-cut-off", "a string longer than its block", BLOCK + b"\0\x05abc")
wrong("5.2", "value-cut-off", "a string longer than its block", BLOCK + b"\0\x01x\x05abc")
wrong("5.2", "value-missing", "a literal without its value", BLOCK + b"\0\x01x")
wrong("5.2", "name-missing", "a literal without its name", BLOCK + b"\0")
wrong("5.2", "huffman-padding-8-bits", "padding longer than 7 bits MUST be a decoding error", BLOCK + b"\0\x01x\x82\x1f\xff")
wrong("5.2", "huffman-padding-zeros", "padding other than the most significant bits of EOS MUST be a decoding error", BLOCK + b"\0\x01x\x81\x18")
wrong("5.2", "huffman-eos", "a string that holds EOS MUST be a decoding error", BLOCK + b"\0\x01x\x84\xff\xff\xff\xff")
wrong("5.2", "huffman-eos-inside", "a string that holds EOS MUST be a decoding error", BLOCK + b"\0\x01x\x85\x1f\xff\xff\xff\xfb")
wrong("6.1", "index-0", "index 0 MUST be a decoding error", BLOCK + b"\x80")
wrong("6.3", "update-over", "a size update above the limit MUST be a decoding error", integer(2**20, 5, 0x20) + BLOCK)
wrong("6.3", "update-huge", "a size update above the limit MUST be a decoding error", integer(2**32 - 1, 5, 0x20) + BLOCK)
wrong("4.3", "evicted-by-update", "a reduced table has lost its entries",
      b"\x20" + BLOCK + b"\xbe")  # fmt: skip
add("4.3", "evicted-later", "a reduced table has lost its entries",
    headers(1, BLOCK + indexed("a", "b")) + headers(3, b"\x20" + BLOCK + b"\xbe"), Goaway(COMPRESSION_ERROR))  # fmt: skip
add("4.4", "entry-larger-than-the-table", "an entry larger than the table empties it and is no error",
    headers(1, BLOCK + indexed("a", "b" * 5000)) + headers(3, BLOCK), Fine(1, 3))  # fmt: skip
add("4.4", "emptied-by-an-entry", "an entry larger than the table empties it",
    headers(1, BLOCK + indexed("a", "b") + indexed("a", "b" * 5000)) + headers(3, BLOCK + b"\xbe"), Goaway(COMPRESSION_ERROR))  # fmt: skip
add("2.3.2", "dynamic-table", "entries are found again, newest first",
    headers(1, BLOCK + indexed("k1", "v") + indexed("k2", "v")) + headers(3, BLOCK + b"\xbe\xbf"), Fine(1, 3))  # fmt: skip
add("5.2", "huffman", "Huffman-coded strings are read",
    headers(1, BLOCK + b"\0" + b"\x01x" + b"\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), Fine(1))  # fmt: skip
add("6.1", "static-table", "all of a request by index", headers(1, b"\x82\x84\x86" + literal(":authority", "a")[0:1] + text(":authority") + text("a")), Fine(1))
add("6.2.3", "never-indexed", "literals never indexed are read", headers(1, BLOCK + b"\x10" + text("x") + text("secret")), Fine(1))
