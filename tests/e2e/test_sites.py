"""Sites in place of one another while clients ask: `swaps` (gallery/swaps.c) serves a thousand of
them, and each answer must be wholly of one."""

import asyncio
import re

from lib.runner import BUILD, Server

CONNECTIONS = 64
SITES = 1000


async def read_answer(reader):
    """The status, X-Before, X-After and content."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(re.findall(r"^([A-Za-z-]+): (.*)\r$", head, re.M))
    content = await reader.readexactly(int(fields["Content-Length"]))
    return int(head.split(" ")[1]), fields["X-Before"], fields["X-After"], content.decode()


async def ask(address, seen, done, number):
    """One connection: asks until all sites were served, every third time for what is not there."""
    reader, writer = await asyncio.open_connection(*address)
    count = number
    while not done.is_set():
        count += 1
        path = "/none" if count % 3 == 0 else "/"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        status, before, after, content = await read_answer(reader)
        assert (status, before, after) == (404 if path == "/none" else 200, content, content)
        assert int(content) >= seen.get(number, 0), "a connection went back to an older site"
        seen[number] = int(content)
        seen["sites"].add(content)
        seen["answers"] += 1
    writer.close()


async def ask_all(server):
    seen, done = {"answers": 0, "sites": set()}, asyncio.Event()
    tasks = [asyncio.create_task(ask(server.address, seen, done, number))
             for number in range(CONNECTIONS)]
    await asyncio.to_thread(server.wait_stderr, re.compile(r"swapped"), seconds=60)
    done.set()
    await asyncio.gather(*tasks)
    return seen


def test_a_thousand_sites_while_clients_ask():
    with Server([BUILD / "gallery" / "swaps", "127.0.0.1:0"]) as server:
        seen = asyncio.run(ask_all(server))
        server.stop()
    assert f"swaps: {SITES} sites, {SITES} released" in server.stderr
    assert seen["answers"] > 10 * CONNECTIONS
    assert len(seen["sites"]) > SITES // 10
