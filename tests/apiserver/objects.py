"""The objects of a test API server: collections with one history of resourceVersions, selectors, pages, manifests."""

import base64
import bisect
import collections
import copy
import datetime
import json
import pathlib
import uuid


class Refused(Exception):
    """An answer that is a metav1.Status."""

    def __init__(self, code, reason, message, **more):
        super().__init__(message)
        self.code = code
        self.body = {"kind": "Status", "apiVersion": "v1", "metadata": more.pop("metadata", {}), "status": "Failure",
                     "message": message, "reason": reason, **more, "code": code}


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Selector:
    """labelSelector and fieldSelector: `key`, `!key`, `key=value`, `key!=value`, joined by commas."""

    def __init__(self, labels, fields):
        self.labels = [self.term(one) for one in labels.split(",") if one]
        self.fields = [self.term(one) for one in fields.split(",") if one]

    @staticmethod
    def term(text):
        for sign in ("!=", "==", "="):
            if sign in text:
                key, value = text.split(sign, 1)
                return key.strip(), sign != "!=", value.strip()
        return text.lstrip("!").strip(), not text.startswith("!"), None

    def takes(self, item):
        labels = item["metadata"].get("labels") or {}
        for key, wanted, value in self.labels:
            if (key in labels if value is None else labels.get(key) == value) != wanted:
                return False
        for path, wanted, value in self.fields:
            at = item
            for step in path.split("."):
                at = at.get(step, "") if isinstance(at, dict) else ""
            if (at == value) != wanted:
                return False
        return True


class Entry:
    """One version of an object. `text` is its JSON without kind and apiVersion, as the items of a list are."""

    __slots__ = ("item", "text", "version")

    def __init__(self, item, version):
        item["metadata"]["resourceVersion"] = str(version)
        self.item, self.version = item, version
        self.text = compact(item)


class Collection:
    def __init__(self, path, kind, namespaced, open_path=None):
        self.path, self.kind, self.namespaced = path, kind, namespaced
        self.name = path.rsplit("/", 1)[1]
        self.version = "/".join(path.split("/")[2:-1])  # "v1", "discovery.k8s.io/v1"
        self.entries = {}  # (namespace, name) -> Entry
        self.history = collections.deque()  # (version, was, is): Entries or None
        self.head = compact({"kind": kind, "apiVersion": self.version})[:-1]

    def event(self, kind, text):
        return b'{"type":"' + kind + b'","object":' + self.head + b"," + text[1:] + b"}\n"

    def bookmark(self, version, initial_end=False):
        metadata = {"resourceVersion": str(version), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return self.event(b"BOOKMARK", compact({"metadata": metadata}))


class World:
    """All collections. Every change has a version of its own; what came before `compacted` cannot be watched from."""

    def __init__(self, first_version=1000, keep=20000):
        self.collections = {one.path: one for one in (
            Collection("/api/v1/services", "Service", True),
            Collection("/api/v1/nodes", "Node", False),
            Collection("/api/v1/events", "Event", True),
            Collection("/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice", True),
            Collection("/apis/networking.k8s.io/v1/servicecidrs", "ServiceCIDR", False),
            Collection("/apis/events.k8s.io/v1/events", "Event", True))}
        self.by_kind = {(one.version, one.kind): one for one in self.collections.values()}
        self.version = self.compacted = first_version
        self.keep = keep
        self.snapshots = collections.OrderedDict()  # (path, version) -> sorted [(key, Entry)]
        self.listeners = []  # called with (collection, was, is, version) after each change

    # --- changes

    def collection_of(self, manifest):
        one = self.by_kind.get((manifest.get("apiVersion"), manifest.get("kind")))
        if one is None:
            raise Refused(400, "BadRequest", f"no collection of {manifest.get('apiVersion')} {manifest.get('kind')}")
        return one

    def put(self, manifest, only_new=False):
        collection = self.collection_of(manifest)
        item = copy.deepcopy({name: value for name, value in manifest.items() if name not in ("kind", "apiVersion")})
        metadata = item.setdefault("metadata", {})
        if collection.namespaced:
            metadata.setdefault("namespace", "default")
        if "generateName" in metadata and "name" not in metadata:
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        key = (metadata.get("namespace", "") if collection.namespaced else "", metadata["name"])
        was = collection.entries.get(key)
        if was and only_new:
            raise Refused(409, "AlreadyExists", f'{collection.name} "{key[1]}" already exists')
        born = was.item["metadata"] if was else {}
        metadata["uid"] = born.get("uid") or metadata.get("uid") or str(uuid.uuid4())
        metadata["creationTimestamp"] = (born.get("creationTimestamp") or metadata.get("creationTimestamp")
            or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.version += 1
        entry = collection.entries[key] = Entry(item, self.version)
        self.changed(collection, was, entry)
        return entry

    def delete(self, collection, namespace, name):
        was = collection.entries.pop((namespace if collection.namespaced else "", name), None)
        if was is None:
            raise Refused(404, "NotFound", f'{collection.name} "{name}" not found')
        self.version += 1
        # A deletion has its own version, which the event's object carries.
        self.changed(collection, Entry(copy.deepcopy(was.item), self.version), None)
        return was

    def changed(self, collection, was, entry):
        collection.history.append((self.version, was, entry))
        if len(collection.history) > self.keep:
            self.compacted = max(self.compacted, collection.history.popleft()[0])
        for listener in self.listeners:
            listener(collection, was, entry, self.version)

    def compact(self):
        """Forgets all history, so that older watches and continue tokens have expired."""
        self.compacted = self.version
        self.snapshots.clear()
        for collection in self.collections.values():
            collection.history.clear()

    def restore(self, version):
        """The same objects under lower versions, as when etcd is restored from a backup."""
        self.version = version
        self.compact()
        for collection in self.collections.values():
            for key, entry in list(collection.entries.items()):
                collection.entries[key] = Entry(copy.deepcopy(entry.item), version)

    # --- answers

    def list(self, collection, selector, namespace, limit=0, token=""):
        """The parts of a list, or of one page, as bytes."""
        start = None
        if token:
            try:
                told = json.loads(base64.urlsafe_b64decode(token))
                version, start = told["rv"], tuple(told["start"])
            except Exception:
                raise Refused(400, "BadRequest", "invalid continue token: continue key is not valid") from None
            rows = self.snapshots.get((collection.path, version))
            if rows is None:
                raise Refused(410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
        else:
            version, rows = self.version, sorted(collection.entries.items())
        begin = bisect.bisect_right(rows, start, key=lambda row: row[0]) if start else 0
        taken, rest, last = [], 0, None
        for key, entry in rows[begin:]:
            if (namespace and key[0] != namespace) or not selector.takes(entry.item):
                continue
            if limit and len(taken) == limit:
                rest += 1
                continue
            taken.append(entry.text)
            last = key
        metadata = {"resourceVersion": str(version)}
        if rest:
            self.snapshots[(collection.path, version)] = rows
            while len(self.snapshots) > 16:
                self.snapshots.popitem(last=False)
            metadata["continue"] = base64.urlsafe_b64encode(compact({"rv": version, "start": last})).decode()
            metadata["remainingItemCount"] = rest
        head = compact({"kind": collection.kind + "List", "apiVersion": collection.version, "metadata": metadata})
        return head[:-1] + b',"items":[' + b",".join(taken) + b"]}"

    def initial_events(self, collection, selector, namespace):
        for key, entry in sorted(collection.entries.items()):
            if (not namespace or key[0] == namespace) and selector.takes(entry.item):
                yield collection.event(b"ADDED", entry.text)

    @staticmethod
    def seen_by(collection, selector, namespace, was, entry):
        """What a watch with this selector is told of a change; None when it is told nothing."""
        space = (entry or was).item["metadata"].get("namespace", "")
        if namespace and space != namespace:
            return None
        before = was is not None and selector.takes(was.item)
        after = entry is not None and selector.takes(entry.item)
        if after:
            return collection.event(b"MODIFIED" if before else b"ADDED", entry.text)
        if not before:
            return None
        if entry is None:
            return collection.event(b"DELETED", was.text)
        gone = Entry(copy.deepcopy(was.item), entry.version)  # the old object, the new version
        return collection.event(b"DELETED", gone.text)


def read_manifests(path):
    """The objects of a file or folder: JSON or YAML, lists and several documents."""
    path = pathlib.Path(path)
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix in (".json", ".yaml", ".yml"):
                yield from read_manifests(file)
        return
    if path.suffix == ".json":
        documents = [json.loads(path.read_text())]
    else:
        import yaml  # only where YAML is read

        class Loader(yaml.SafeLoader):
            """Times stay texts, as in JSON."""

        Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)

        documents = list(yaml.load_all(path.read_text(), Loader=Loader))
    for document in filter(None, documents):
        if isinstance(document.get("items"), list):
            kind = document.get("kind", "List").removesuffix("List")
            for item in document["items"]:
                yield {"apiVersion": document.get("apiVersion"), **({"kind": kind} if kind else {}), **item}
        else:
            yield document
