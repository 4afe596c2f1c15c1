#!/usr/bin/env python3
"""A kube-apiserver for tests: lists, watches, streaming lists, pages, events, and every fault on command.

As a program (`server.py --help`) it is driven through a control port; in Python through class ApiServer.
"""

import argparse
import asyncio
import json
import pathlib
import re
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from connection import REASONS, Connection, Fault  # noqa: E402
from objects import Refused, World, compact, read_manifests  # noqa: E402

def make_certificates(folder, names=("localhost",), addresses=("127.0.0.1", "::1")):
    """ca.crt, server.crt, client.crt (CN=system:kube-proxy) and their keys, unless they are there."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "client.crt").exists():
        return folder
    alternative = ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=test-ca")
    for name, subject, extension in (("server", "/CN=kube-apiserver", f"subjectAltName={alternative}"),
                                     ("client", "/O=system:node-proxier/CN=system:kube-proxy", "extendedKeyUsage=clientAuth")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / f"{name}.ext").write_text(extension + "\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", f"{name}.ext", "-out", f"{name}.crt")
    return folder


class ApiServer:
    """The server on an event loop; `command` drives it. With `start_in_thread` from any other thread."""

    def __init__(self, address="127.0.0.1", port=0, tls=None, tokens=(), world=None):
        self.address, self.port, self.tokens = address, port, set(tokens)
        self.world = world or World()
        self.world.listeners.append(self.changed)
        self.folder = make_certificates(tls) if tls else None
        self.connections, self.watches, self.faults = set(), set(), []
        self.requests, self.tokens_seen, self.agents_seen = [], set(), set()
        self.streams, self.page, self.protobuf = True, 0, True
        self.watch_seconds, self.bookmark_seconds = None, 60.0
        self.listener, self.loop = None, None

    def context(self):
        if not self.folder:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        context.load_verify_locations(self.folder / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async def up(self):
        if self.listener:
            return
        self.loop = asyncio.get_running_loop()
        self.listener = await asyncio.start_server(lambda reader, writer: Connection(self, reader, writer).serve(),
            self.address, self.port, ssl=self.context(), limit=1 << 24, backlog=512)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def down(self):
        if self.listener:
            self.listener.close()
            self.listener = None
        self.reset()

    @property
    def url(self):
        return f"{'https' if self.folder else 'http'}://{self.address}:{self.port}"

    def reset(self):
        for connection in list(self.connections):
            connection.abort()

    def note_request(self, headers):
        if "authorization" in headers:
            self.tokens_seen.add(headers["authorization"].removeprefix("Bearer "))
        self.agents_seen.add(headers.get("user-agent", ""))
        del self.requests[:-10000]

    def strikes(self, what, *kinds):
        return next((fault for fault in self.faults if fault.strikes(what, *kinds)), None)

    def changed(self, collection, was, entry, version):
        for watch in self.watches:
            if watch.collection is collection and version > watch.after:
                if text := World.seen_by(collection, watch.selector, watch.namespace, was, entry):
                    watch.tell(text)

    async def command(self, order):
        """One order: {"put": [object]}, {"delete": [object]}, {"load": path}, {"fault": kind, …}, {"clear": true}, {"reset": true},
        {"down": true}, {"up": true}, {"end_watches": true}, {"bookmark": true}, {"compact": true}, {"restore": version},
        {"set": {streams, page, protobuf, watch_seconds, bookmark_seconds}}, {"state": true}."""
        name, value = next(iter(order.items()))
        match name:
            case "put":
                for manifest in value:
                    self.world.put(manifest)
            case "load":
                for manifest in read_manifests(value):
                    self.world.put(manifest)
            case "delete":
                for manifest in value:
                    metadata = manifest["metadata"]
                    self.world.delete(self.world.collection_of(manifest), metadata.get("namespace", "default"), metadata["name"])
            case "fault":
                self.faults.append(Fault(value, **{key: it for key, it in order.items() if key != "fault"}))
            case "clear":
                self.faults.clear()
            case "reset":
                self.reset()
            case "down":
                await self.down()
            case "up":
                await self.up()
            case "end_watches":
                for watch in list(self.watches):
                    watch.end()
            case "bookmark":
                for watch in self.watches:
                    watch.tell(watch.collection.bookmark(self.world.version))
            case "compact":
                self.world.compact()
            case "restore":
                self.world.restore(int(value))
                self.reset()
            case "set":
                for key, it in value.items():
                    if key not in ("streams", "page", "protobuf", "watch_seconds", "bookmark_seconds"):
                        raise ValueError(f"no setting {key}")
                    setattr(self, key, it)
            case "state":
                pass
            case _:
                raise ValueError(f"no order {name}")
        return self.state()

    def state(self):
        return {"url": self.url, "version": self.world.version, "connections": len(self.connections),
                "watches": sorted(watch.collection.name for watch in self.watches), "requests": list(self.requests),
                "tokens": sorted(self.tokens_seen), "agents": sorted(self.agents_seen),
                "objects": {one.name: len(one.entries) for one in self.world.collections.values()}}

    # --- for other threads

    def start_in_thread(self):
        ready = threading.Event()

        async def run():
            await self.up()
            ready.set()
            await asyncio.Event().wait()

        threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
        if not ready.wait(10):
            raise RuntimeError("the API server did not start")
        return self

    def do(self, **order):
        return asyncio.run_coroutine_threadsafe(self.command(order), self.loop).result(60)

    def kubeconfig(self, path, token=None, token_file=None, client_certificate=False):
        """Writes a kubeconfig for this server. @return its path."""
        cluster = {"server": self.url}
        if self.folder:
            cluster["certificate-authority"] = str((self.folder / "ca.crt").resolve())
        user = {"tokenFile": token_file} if token_file else {"token": token} if token else {}
        if client_certificate:
            user = {"client-certificate": str((self.folder / "client.crt").resolve()),
                    "client-key": str((self.folder / "client.key").resolve())}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "test",
                  "clusters": [{"name": "test", "cluster": cluster}], "users": [{"name": "test", "user": user}],
                  "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}
        pathlib.Path(path).write_text(json.dumps(config, indent=1))
        return str(path)


async def control(server, reader, writer):
    """`POST /` with one order, or a list of them, as JSON; the answer is the state after the last."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"(?i)content-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b'{"state":true}'
        orders = json.loads(body)
        try:
            for order in orders if isinstance(orders, list) else [orders]:
                answer, code = await server.command(order), 200
        except (ValueError, KeyError, TypeError, Refused, OSError) as error:
            answer, code = {"error": f"{type(error).__name__}: {error}"}, 400
        body = compact(answer)
        writer.write(f"HTTP/1.1 {code} {REASONS[code]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        pass
    finally:
        writer.close()


async def run(options):
    server = ApiServer(options.address, options.port, options.tls, options.token)
    for path in options.manifests:
        for manifest in read_manifests(path):
            server.world.put(manifest)
    await server.up()
    if options.kubeconfig:
        server.kubeconfig(options.kubeconfig, options.token[0] if options.token else None)
    if options.control:
        await asyncio.start_server(lambda reader, writer: control(server, reader, writer), "127.0.0.1", options.control, limit=1 << 26)
    print(f"serving {server.url}", flush=True)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifests", nargs="*", help="files or folders of manifests to begin with")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any")
    parser.add_argument("--control", type=int, help="port of the control endpoint on 127.0.0.1 (see ApiServer.command)")
    parser.add_argument("--tls", metavar="FOLDER", help="serve TLS; certificates are made in this folder unless they are there")
    parser.add_argument("--token", action="append", default=[], help="a bearer token that is let in; without any, all are")
    parser.add_argument("--kubeconfig", metavar="FILE", help="write a kubeconfig for clients")
    try:
        asyncio.run(run(parser.parse_args()))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
