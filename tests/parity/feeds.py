"""Two ways of giving the objects of a case to a running daemon: as manifests in a file, and through the API server."""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "apiserver"))
from server import ApiServer  # noqa: E402


class Files:
    """`ipvsproxy run` with the case's configuration follows a folder of manifests."""

    def __init__(self, binary, case, folder):
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        self.argv = [binary, "run", "--config", str(case / "config.yaml"), "-f", str(self.manifests)]

    def serve(self, objects):
        """Replaces the manifest as an atomic writer does: written aside, then renamed."""
        aside = self.manifests / ".objects.json.new"
        aside.write_bytes(objects.read_bytes())
        aside.rename(self.manifests / "objects.json")


class Api:
    """`kube-proxy` with the case's configuration, but for the path of its kubeconfig, watches an API server."""

    def __init__(self, binary, case, folder):
        self.server = ApiServer().start_in_thread()
        self.known = {}
        name = folder / "kube-proxy"
        name.symlink_to(binary)
        config = folder / "config.yaml"
        kubeconfig = self.server.kubeconfig(folder / "kubeconfig")
        text, places = re.subn(r"(?m)^(\s+kubeconfig:) .*$", rf"\1 {kubeconfig}", (case / "config.yaml").read_text())
        if places != 1:
            raise ValueError(f"{case / 'config.yaml'} names {places} kubeconfigs")
        config.write_text(text)
        self.argv = [str(name), f"--config={config}"]

    def serve(self, objects):
        """What came, changed and went since the last time, as so many events of the watches."""
        wanted = {}
        for item in json.loads(objects.read_text())["items"]:
            metadata = item["metadata"]
            wanted[(item["kind"], metadata.get("namespace", ""), metadata["name"])] = item
        gone = [item for key, item in self.known.items() if key not in wanted]
        changed = [item for key, item in wanted.items() if self.known.get(key) != item]
        self.known = wanted
        self.server.do(delete=gone)
        self.server.do(put=changed)
