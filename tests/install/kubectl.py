"""kubectl: of this machine, or Debian's package kubernetes-client, unpacked below build/."""

import pathlib
import shutil
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def kubectl():
    """@return its path; fetched where it is missing, as another package may own /usr/bin/kubectl."""
    if found := shutil.which("kubectl"):
        return found
    keep = TOP / "build/kubectl"
    if not (keep / "usr/bin/kubectl").exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["apt-get", "-qq", "download", "kubernetes-client"], cwd=folder, check=True, capture_output=True)
            subprocess.run(["dpkg", "-x", next(pathlib.Path(folder).glob("*.deb")), keep], check=True, capture_output=True)
    return str(keep / "usr/bin/kubectl")
