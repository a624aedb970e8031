"""What RFC 9110 says a GET or HEAD of a file is answered with: slow, obvious, and written from the
RFC's text alone, so that it shares no mistake with the server.

`answer(file, method, fields)` gives the status, the bytes that must come, and the Content-Range.
"""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

RANGES_MAX = 16

WHOLE, NONE = "whole", "none"


@dataclass(frozen=True)
class File:
    content: bytes
    etag: str
    modified: int  # Unix seconds, as in Last-Modified


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes = b""
    content_range: str = None
    parts: tuple = ()  # of (first, last), when there are several


def values(fields, name):
    return [value.strip(" \t") for key, value in fields if key.lower() == name.lower()]


# --- Dates (section 5.6.7) -----------------------------------------------------------------------

IMF = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d:\d\d GMT"
)


def date(text):
    """Unix seconds, or None where the text is no IMF-fixdate; the model is asked for no other."""
    if not IMF.fullmatch(text):
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (TypeError, ValueError):
        return None


def one_date(fields, name):
    found = values(fields, name)
    return date(found[0]) if len(found) == 1 else None


# --- Entity tags (section 8.8.3) -----------------------------------------------------------------

TAG = re.compile(r'[ \t,]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|\Z)')


def tags(text):
    """The tags of a list up to where it is malformed."""
    at = 0
    while match := TAG.match(text, at):
        yield match[1]
        at = match.end()


def strong_equal(left, right):
    return left == right and not left.startswith("W/") and not right.startswith("W/")


def weak_equal(left, right):
    return left.removeprefix("W/") == right.removeprefix("W/")


def any_tag(fields, name, etag, equal):
    for text in values(fields, name):
        if text == "*" or any(equal(tag, etag) for tag in tags(text)):
            return True
    return False


# --- Ranges (section 14.1.2) ---------------------------------------------------------------------


def ranges(text, size):
    """WHOLE, NONE, or a list of (first, last)."""
    unit, equals, rest = text.partition("=")
    if not equals or unit.lower() != "bytes":
        return WHOLE
    specs = [spec.strip(" \t") for spec in rest.split(",")]
    specs = [spec for spec in specs if spec]
    if not specs or len(specs) > RANGES_MAX:
        return WHOLE
    found, suffix_of_nothing = [], False
    for spec in specs:
        if match := re.fullmatch(r"-([0-9]+)", spec):
            wanted = int(match[1])
            suffix_of_nothing |= size == 0
            if wanted > 0 and size > 0:
                found.append((max(size - wanted, 0), size - 1))
        elif match := re.fullmatch(r"([0-9]+)-([0-9]*)", spec):
            # What does not fit into 64 bits is as good as the largest number that does.
            first = min(int(match[1]), 2**64 - 1)
            last = min(int(match[2]), 2**64 - 1) if match[2] else 2**64 - 1
            if last < first:
                return WHOLE
            if first < size:
                found.append((first, min(last, size - 1)))
        else:
            return WHOLE
    if not found:
        return WHOLE if suffix_of_nothing else NONE
    if sum(last - first + 1 for first, last in found) > size:
        return WHOLE
    return found


# --- Preconditions (section 13.2.2) --------------------------------------------------------------


def precondition(file, fields):
    """None to go on, else 412 or 304."""
    if values(fields, "If-Match"):
        if not any_tag(fields, "If-Match", file.etag, strong_equal):
            return 412
    else:
        since = one_date(fields, "If-Unmodified-Since")
        if since is not None and file.modified > since:
            return 412
    if values(fields, "If-None-Match"):
        if any_tag(fields, "If-None-Match", file.etag, weak_equal):
            return 304
    else:
        since = one_date(fields, "If-Modified-Since")
        if since is not None and file.modified <= since:
            return 304
    return None


def range_counts(file, fields):
    """Section 13.1.5.  The files of the tests are older than the second their dates are of."""
    given = values(fields, "If-Range")
    if not given:
        return True
    if len(given) > 1:
        return False
    since = date(given[0])
    if since is not None:
        return since == file.modified
    found = list(tags(given[0]))
    return len(found) == 1 and found[0] == given[0] and strong_equal(found[0], file.etag)


def answer(file, method, fields):
    size = len(file.content)
    whole = Answer(200, file.content)
    if status := precondition(file, fields):
        return Answer(status)
    wanted = values(fields, "Range")
    if method != "GET" or not size or len(wanted) != 1 or not range_counts(file, fields):
        return whole
    found = ranges(wanted[0], size)
    if found == WHOLE:
        return whole
    if found == NONE:
        return Answer(416, content_range=f"bytes */{size}")
    if len(found) > 1:
        return Answer(206, parts=tuple(found))
    (first, last), *_ = found
    return Answer(206, file.content[first : last + 1], f"bytes {first}-{last}/{size}")


# --- Paths ---------------------------------------------------------------------------------------


def path(target):
    """From a request's path (bytes) to segments beneath the folder and whether it ends in a slash,
    or the status it is refused with."""
    raw = target.partition(b"?")[0]
    decoded, at = b"", 0
    while at < len(raw):
        if raw[at : at + 1] == b"%":
            byte = bytes([int(raw[at + 1 : at + 3], 16)])
            if byte == b"\0":
                return 400
            decoded, at = decoded + byte, at + 3
        else:
            decoded, at = decoded + raw[at : at + 1], at + 1
    out = []
    *segments, last = decoded.split(b"/")[1:]
    for segment in segments + [last]:
        if segment == b"..":
            if not out:
                return 400
            out.pop()
        elif segment != b".":
            out.append(segment)
    slash = last in (b"", b".", b"..") or not any(out)
    out = [segment for segment in out if segment]
    for index, segment in enumerate(out):
        more = slash or index + 1 < len(out)
        if segment.startswith(b".") and not (index == 0 and segment == b".well-known" and more):
            return 404
    return out, slash
