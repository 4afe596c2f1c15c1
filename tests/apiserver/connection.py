"""One connection to the test API server: requests, lists, watches, and what goes wrong with them."""

import asyncio
import gzip
import json
import re
import time
import urllib.parse

import protobuf
from objects import Refused, Selector, compact

REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           409: "Conflict", 410: "Gone", 422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error",
           503: "Service Unavailable", 504: "Gateway Timeout"}
PIECE = 32768


class Cut(Exception):
    """The connection is to be reset."""


class Fault:
    """What goes wrong with requests whose method and target hold `match` (a regular expression).

    kind: status (code, retry_after, message), cut (in mid-object), stall (no byte more), slow (seconds a piece), garbage (in
    place of an event), plain (200, but no JSON). times: how often; None: until it is cleared.
    """

    def __init__(self, kind, match="", times=1, **more):
        if kind not in ("status", "cut", "stall", "slow", "garbage", "plain"):
            raise ValueError(f"no fault {kind}")
        self.kind, self.match, self.times, self.more = kind, re.compile(match), times, more

    def strikes(self, what, *kinds):
        if self.kind not in kinds or self.times == 0 or not self.match.search(what):
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Watch:
    """One watch under way: the texts it is still to be told, and how it ends."""

    def __init__(self, collection, selector, namespace, after):
        self.collection, self.selector, self.namespace, self.after = collection, selector, namespace, after
        self.texts, self.more, self.over = [], asyncio.Event(), False

    def tell(self, text):
        self.texts.append(text)
        self.more.set()

    def end(self):
        self.over = True
        self.more.set()


class Connection:
    """One client's connection, over which request follows request."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.world = server.world
        self.protobuf = False  # whether the request under way is to be answered so

    async def serve(self):
        self.server.connections.add(self)
        try:
            while await self.one_request():
                pass
        except (Cut, ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            self.abort()
        finally:
            self.server.connections.discard(self)
            self.writer.close()

    def abort(self):
        self.writer.transport.abort()

    async def one_request(self):
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            return False
        method, target, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        what = f"{method} {target}"
        self.server.requests.append(what)
        self.server.note_request(headers)
        self.protobuf = self.server.protobuf and headers.get("accept", "").startswith(protobuf.MEDIA_TYPE)
        await self.stalled(what)
        try:
            if fault := self.server.strikes(what, "status"):
                code = fault.more.get("code", 503)
                refusal = Refused(code, fault.more.get("reason", REASONS[code]), fault.more.get("message", "as the test has it"))
                refusal.retry_after = fault.more.get("retry_after")
                raise refusal
            self.authenticate(headers)
            await self.answer(method, target, what, headers, body)
        except Refused as refusal:
            extra = {"Retry-After": refusal.retry_after} if getattr(refusal, "retry_after", None) is not None else {}
            await self.send(refusal.code, compact(refusal.body), what, headers, extra)
        return headers.get("connection", "").lower() != "close"

    async def stalled(self, what):
        if fault := self.server.strikes(what, "stall"):
            while fault in self.server.faults:
                await asyncio.sleep(0.02)

    def authenticate(self, headers):
        certificate = self.writer.get_extra_info("peercert")
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if self.server.tokens and not certificate and token not in self.server.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")

    async def answer(self, method, target, what, headers, body):
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path in ("/readyz", "/livez", "/healthz"):
            return await self.send(200, b"ok", what, headers, {"Content-Type": "text/plain; charset=utf-8"})
        if url.path == "/version":
            return await self.send(200, compact({"major": "1", "minor": "36", "gitVersion": "v1.36.2"}), what, headers)
        collection, namespace, name = self.route(url.path)
        if method == "GET" and not name:
            selector = Selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))
            if query.get("watch") in ("1", "true"):
                return await self.watch(collection, selector, namespace, query, what)
            return await self.list(collection, selector, namespace, query, what, headers)
        await self.send(*self.edit(method, collection, namespace, name, body), what, headers)

    def route(self, path):
        """/api/v1[/namespaces/NS]/services[/NAME] to collection, namespace and name."""
        match = re.fullmatch(r"(/api/v1|/apis/[^/]+/v1)(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?", path)
        collection = match and self.world.collections.get(f"{match[1]}/{match[3]}")
        if not collection:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return collection, match[2] or "", match[4] or ""

    def edit(self, method, collection, namespace, name, body):
        """Single objects. @return code and body."""
        key = (namespace if collection.namespaced else "", name)
        if method == "DELETE":
            return 200, self.whole(collection, self.world.delete(collection, namespace, name))
        if method == "POST" or method == "PUT":
            manifest = {"apiVersion": collection.version, "kind": collection.kind, **json.loads(body)}
            if namespace:
                manifest.setdefault("metadata", {})["namespace"] = namespace
            return (201 if method == "POST" else 200), self.whole(collection, self.world.put(manifest, method == "POST"))
        held = collection.entries.get(key)
        if held is None:
            raise Refused(404, "NotFound", f'{collection.name} "{name}" not found')
        if method == "PATCH":
            item = merged(held.item, json.loads(body))
            held = self.world.put({"apiVersion": collection.version, "kind": collection.kind, **item})
        return 200, self.whole(collection, held)

    @staticmethod
    def whole(collection, entry):
        return collection.head + b"," + entry.text[1:]

    # --- lists

    async def list(self, collection, selector, namespace, query, what, headers):
        token = query.get("continue", "")
        if not token:
            await self.not_too_large(query)
        limit = int(query.get("limit", 0))
        if limit and self.server.page:
            limit = min(limit, self.server.page)
        await self.send(200, self.world.list(collection, selector, namespace, limit, token), what, headers)

    async def not_too_large(self, query):
        asked = query.get("resourceVersion") or "0"
        if not asked.isdigit():
            raise Refused(400, "BadRequest", f'resourceVersion: Invalid value: "{asked}"')
        if int(asked) > self.world.version:
            await asyncio.sleep(0.05)  # kube-apiserver waits for 3 s
        if int(asked) > self.world.version:
            refusal = Refused(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {self.world.version}",
                details={"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                         "retryAfterSeconds": 1})
            refusal.retry_after = 1
            raise refusal

    # --- watches

    async def watch(self, collection, selector, namespace, query, what):
        initial = query.get("sendInitialEvents") == "true"
        if initial:
            if not self.server.streams or query.get("resourceVersionMatch") != "NotOlderThan":
                raise Refused(422, "Invalid", "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: "
                    "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
            await self.not_too_large(query)
        elif "resourceVersionMatch" in query:
            raise Refused(422, "Invalid", "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch")
        version = int(query.get("resourceVersion") or 0)
        watch = Watch(collection, selector, namespace, max(version, self.world.version) if initial or not version else version)
        stream = protobuf.MEDIA_TYPE + ";stream=watch" if self.protobuf else "application/json"
        self.head(200, {"Content-Type": stream, "Transfer-Encoding": "chunked"})
        if initial or not version:
            for text in self.world.initial_events(collection, selector, namespace):
                watch.texts.append(text)
            if initial:
                watch.texts.append(collection.bookmark(self.world.version, initial_end=True))
        elif version < self.world.compacted:
            gone = compact(Refused(410, "Expired", f"too old resource version: {version} ({self.world.compacted})").body)
            await self.chunk(self.of_events([b'{"type":"ERROR","object":' + gone + b"}\n"]), what)
            return await self.last_chunk()
        else:
            for at, was, entry in collection.history:
                if at > version and (text := self.world.seen_by(collection, selector, namespace, was, entry)):
                    watch.texts.append(text)
        watch.more.set()
        await self.follow(watch, float(query.get("timeoutSeconds", 1800)), query.get("allowWatchBookmarks") == "true", what)

    async def follow(self, watch, seconds, bookmarks, what):
        server = self.server
        end = time.monotonic() + min(seconds, server.watch_seconds or seconds)
        server.watches.add(watch)
        closed = asyncio.ensure_future(self.reader.read(1))
        try:
            next_bookmark = time.monotonic() + server.bookmark_seconds
            while not watch.over and not closed.done():
                await self.tell(watch, what)
                now = time.monotonic()
                if now >= end:
                    break
                if now >= next_bookmark:
                    next_bookmark = now + server.bookmark_seconds
                    if bookmarks and self.world.version >= watch.after:
                        watch.texts.append(watch.collection.bookmark(self.world.version))
                    continue
                more = asyncio.ensure_future(watch.more.wait())
                await asyncio.wait({more, closed}, timeout=min(end, next_bookmark) - now, return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
            if closed.done():
                raise Cut
            await self.last_chunk()
        finally:
            server.watches.discard(watch)
            closed.cancel()
            await asyncio.gather(closed, return_exceptions=True)  # the next request is read by another

    async def tell(self, watch, what):
        if watch.texts:
            await self.stalled(what + " event")
        texts, watch.texts = watch.texts, []
        watch.more.clear()
        if not texts:
            return
        parts = [self.of_events(texts)]
        if self.server.strikes(what + " event", "garbage"):
            half = len(texts) // 2
            garbage = b"\0\0\0\x05\x0a\x7fADD" if self.protobuf else b'{"type":"MODIFIED","object":{"kind":"Serv\x00}}\n'
            parts = [self.of_events(texts[:half]), garbage, self.of_events(texts[half:])]
        await self.chunk(b"".join(parts), what)

    def of_events(self, texts):
        return b"".join(map(protobuf.event, texts) if self.protobuf else texts)

    # --- bytes

    def head(self, code, headers):
        # Named once only, and in this order, as kube-apiserver does.
        lines = [f"HTTP/1.1 {code} {REASONS.get(code, 'Unknown')}", "Cache-Control: no-cache, private"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def send(self, code, body, what, headers, extra=None):
        if code == 200 and self.server.strikes(what, "plain"):
            body = b"<html>This is no API server.</html>"
        extra = {"Content-Type": "application/json", **(extra or {})}
        if self.protobuf and extra["Content-Type"] == "application/json" and body.startswith(b"{"):
            body, extra["Content-Type"] = protobuf.answer(body), protobuf.MEDIA_TYPE
        # kube-apiserver leaves answers of less than 128 KiB as they are.
        if len(body) > 131072 and "gzip" in headers.get("accept-encoding", ""):
            extra["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        if len(body) < PIECE and not self.server.strikes(what, "cut"):
            self.head(code, {**extra, "Content-Length": len(body)})
            self.writer.write(body)
            return await self.writer.drain()
        self.head(code, {**extra, "Transfer-Encoding": "chunked"})
        if len(body) < PIECE:  # the cut has been counted already
            await self.half(body)
        await self.chunk(body, what)
        await self.last_chunk()

    async def chunk(self, data, what):
        if self.server.strikes(what, "cut"):
            await self.half(data)
        slow = self.server.strikes(what, "slow")
        size = int(slow.more.get("bytes", 512)) if slow else PIECE
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            self.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self.writer.drain()
            if slow:
                await asyncio.sleep(slow.more.get("seconds", 0.01))

    async def half(self, data):
        """Ends the connection in the midst of an object."""
        piece = data[: len(data) // 2]
        self.writer.write(b"%x\r\n%b" % (len(data), piece))
        await self.writer.drain()
        await asyncio.sleep(0.01)
        raise Cut

    async def last_chunk(self):
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()


def merged(held, patch):
    """A merge patch (RFC 7386)."""
    if not isinstance(held, dict) or not isinstance(patch, dict):
        return patch
    out = {name: value for name, value in held.items() if name not in patch or patch[name] is not None}
    for name, value in patch.items():
        if value is not None:
            out[name] = merged(held.get(name), value)
    return out
