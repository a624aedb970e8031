#!/usr/bin/python3
"""Makes src/http/fields/media_type_table.c from npm's mime-db.

    tools/media_types.py DB.json VERSION > src/http/fields/media_type_table.c

mime-db (MIT) gathers what IANA, Apache and nginx know.  Several types may claim an extension: the
one of the better source wins, and OVERRIDES settles what is better known than registered.
tests/tools/media_types_test.py makes the table anew and compares.
"""
import json
import sys

# What is believed first where two types claim an extension.
SOURCES = ["iana", "apache", "nginx", None]

# An extension and its type, where mime-db has none, or another than people mean.
OVERRIDES = {
    "3gpp": "video/3gpp", "cjs": "text/javascript", "deb": "application/vnd.debian.binary-package",
    "flac": "audio/flac", "mp3": "audio/mpeg", "mp4": "video/mp4", "mpg4": "video/mp4",
    "mpp": "application/vnd.ms-project", "mts": "video/mp2t", "ndjson": "application/x-ndjson",
    "org": "text/x-org", "parquet": "application/vnd.apache.parquet", "rtf": "application/rtf",
    "sub": "text/vnd.dvb.subtitle", "svgz": "application/gzip", "wav": "audio/wav",
    "weba": "audio/webm", "xml": "application/xml", "xsl": "application/xslt+xml",
    "br": "application/octet-stream", "zst": "application/zstd",
}
# Sources of programs: as plain text every browser shows them rather than save them.
PLAIN = """asm awk bash bat bib c cc cfg cmake cmd conf cpp cs cxx diff el erl ex exs f f90 fish
gitignore go gradle h hh hpp hs hxx in ini java jl kt kts lisp log lua m4 mk ml mli nim nix opml pas
patch php pl pm properties proto ps1 py pyi r rb rs rst s scala scm sh sql swift tcl tex tf tsx v
vim zig zsh""".split()
# Types whose content shrinks, beside text/*, *+json, *+xml, *+text and what mime-db says.
SHRINKS = ["application/sql", "application/x-ndjson", "application/ld+json", "application/yaml",
           "application/x-yaml", "application/vnd.apple.mpegurl", "application/x-x509-ca-cert"]
# mime-db says that it shrinks; but it is what everything unknown is called, archives first.
UNKNOWN = "application/octet-stream"


def extensions(database):
    chosen = {}
    for media_type in sorted(database):
        entry = database[media_type]
        rank = SOURCES.index(entry.get("source"))
        for extension in entry.get("extensions", []):
            if extension not in chosen or rank < chosen[extension][0]:
                chosen[extension] = (rank, media_type)
    table = {extension: media_type for extension, (_, media_type) in chosen.items()}
    table.update(OVERRIDES)
    table.update({extension: "text/plain" for extension in PLAIN})
    return table


def shrinks_by_rule(media_type):
    return media_type.startswith("text/") or media_type.endswith(("+json", "+xml", "+text"))


def shrinking(database):
    listed = {name for name, entry in database.items() if entry.get("compressible")}
    return sorted(name for name in listed | set(SHRINKS)
                  if not shrinks_by_rule(name) and name != UNKNOWN)


def content_type(media_type):
    return media_type + "; charset=utf-8" if media_type.startswith("text/") else media_type


def render(database, version):
    table = extensions(database)
    lines = [f"""/*
 * Media types by file extension.  Made by tools/media_types.py from mime-db {version}; do not edit.
 *
 * mime-db: Copyright (c) 2014 Jonathan Ong <me@jongleberry.com>, Copyright (c) 2015-2022 Douglas
 * Christopher Wilson <doug@somethingdoug.com>; MIT licence, whose text is in LICENSE.
 */
#include "http/fields/media_type.h"

const struct media_type_entry media_type_table[] = {{"""]
    lines += [f'    {{"{extension}", "{content_type(table[extension])}"}},'
              for extension in sorted(table)]
    lines += [f"""}};

const uint32_t media_type_table_count = sizeof(media_type_table) / sizeof(media_type_table[0]);

const char *const media_type_shrinking[] = {{"""]
    lines += [f'    "{name}",' for name in shrinking(database)]
    lines += ["""};

const uint32_t media_type_shrinking_count =
    sizeof(media_type_shrinking) / sizeof(media_type_shrinking[0]);"""]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    with open(sys.argv[1], encoding="utf-8") as file:
        database = json.load(file)
    sys.stdout.write(render(database, sys.argv[2]))


if __name__ == "__main__":
    main()
