"""The table of hostile HTTP/1 input, by class; the number of cases is asserted, so none is lost."""

from . import chunks, framing, host, lines, persistence, request_line

TABLES = [
    framing.TABLE,
    chunks.TABLE,
    lines.TABLE,
    request_line.TABLE,
    host.TABLE,
    persistence.TABLE,
]
CASES = [case for table in TABLES for case in table.cases]
