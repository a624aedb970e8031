"""One case for each rule of HTTP/2 that a server can violate or must punish, listed by section."""

from http2 import definitions, extensions, hpack_errors, messages, start, streams

TABLES = [module.TABLE for module in (start, streams, definitions, messages, hpack_errors, extensions)]
CASES = [case for table in TABLES for case in table.cases]
