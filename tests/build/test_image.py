"""The container image: its layout, and the program running from it as nobody, with nothing to write to but its data."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clawmesh.version import VERSION
from executable import FOLDER
from image import Entry, configuration, entries, layer, libraries, write
from steps import StepError

CONFIG = """
[agents.echo]
backend = "script"
model = "echo"
[backends.script]
type = "scripted"
[api]
port = 0
"""
# As container runtimes do it: the root read-only, the kernel's own file systems where they belong, and at /data
# a volume as Kubernetes gives it to a group (fsGroup).
ENTER = """
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount -t tmpfs -o mode=2775,uid=0,gid=65534 none "$ROOT/data"
mount --bind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
exec unshare --root="$ROOT" --wd=/etc/clawmesh --setgid=65534 --setuid=65534 "$@"
"""


def test_every_blob_is_what_its_name_says(tmp_path: Path) -> None:
    content = layer([Entry("data", 0o700, owner=65534), Entry("opt/clawmesh/clawmesh", 0o755, b"program")])
    write(content, tmp_path / "image.tar", "1.2")
    with tarfile.open(tmp_path / "image.tar") as archive:
        held = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    for name, blob in held.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}"

    def found(described: Mapping[str, Any]) -> bytes:
        blob = held[f"blobs/{described['digest'].replace(':', '/')}"]
        assert len(blob) == described["size"]
        return blob

    assert json.loads(held["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    manifest = json.loads(found(json.loads(held["index.json"])["manifests"][0]))
    config = json.loads(found(manifest["config"]))
    assert gzip.decompress(found(manifest["layers"][0])) == content
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    assert (config["config"]["User"], config["config"]["Volumes"]) == ("65534:65534", {"/data": {}})
    (loaded,) = json.loads(held["manifest.json"])
    assert loaded["RepoTags"] == ["clawmesh:1.2"]
    assert {loaded["Config"], *loaded["Layers"]} <= held.keys()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    found = [Entry("b/c", 0o644, b"1"), Entry("a", 0o755, b"2")]
    for name, order in (("one", found), ("two", [*reversed(found)])):
        write(layer(order), tmp_path / name, "1.2")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(fileobj=BytesIO(layer(found))) as archive:
        assert [(member.name, member.mtime, member.uid) for member in archive] == [
            ("a", 0, 0),
            ("b", 0, 0),
            ("b/c", 0, 0),
        ]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the image's content as a runtime unpacks it, with a configuration."""
    if not (FOLDER / "clawmesh").is_file():
        pytest.skip(f"{FOLDER} is not built: run python3 build/make.py exe")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can run a program as another user in another root")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may not make a mount namespace")
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    with tarfile.open(fileobj=BytesIO(layer(entries(FOLDER)))) as archive:
        archive.extractall(folder, filter="fully_trusted")
    for name in ("dev", "proc"):
        (folder / name).mkdir()
    (folder / "etc" / "clawmesh" / "clawmesh.toml").write_text(CONFIG)
    return folder


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    config = configuration(b"", VERSION)["config"]
    environ = dict(each.split("=", 1) for each in config["Env"])
    command = ["unshare", "--mount", "sh", "-ec", ENTER, "sh", *config["Entrypoint"], *(words or config["Cmd"])]
    # The shell and its tools are this system's; `env -i` would keep them from being found.
    inside = ["/usr/bin/env", f"PATH={os.environ['PATH']}", f"ROOT={root}"]
    return subprocess.Popen([*inside, *command], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(root: Path, *words: str) -> str:
    with start(root, *words) as process:
        output, errors = process.communicate(timeout=50)
    assert process.returncode == 0, output + errors
    return output


def test_the_version_and_an_answer(root: Path) -> None:
    assert run(root, "--version") == f"clawmesh {VERSION}\n"
    assert run(root, "ask", "echo", "hi") == "You said: hi\n"


def test_the_doctor_finds_nothing_to_mend(root: Path) -> None:
    told = json.loads(run(root, "--json", "doctor"))
    assert [each for each in told["findings"] if each["status"] == "fail"] == []
    program = next(each for each in told["findings"] if each["check"] == "program")
    assert program["text"].endswith("every file of it is as it was built")
    assert "user" not in {each["check"] for each in told["findings"]}


@contextmanager
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with start(root, "--json", "serve") as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def test_it_serves_and_ends_in_good_order(root: Path) -> None:
    with served(root) as (process, url):
        for path in ("/healthz", "/readyz"):
            with closing(HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
                connection.request("GET", path)
                with connection.getresponse() as response:
                    assert (response.status, response.read()) == (200, b'{"status":"ok"}')
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0


def test_nothing_can_be_written_but_the_data(root: Path) -> None:
    # As the manifest for Kubernetes has it, too.
    with start(root, "init", "/etc/clawmesh/other.toml") as process:
        _, errors = process.communicate(timeout=50)
    assert process.returncode == 1
    assert "Read-only file system" in errors


def test_a_library_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="ldd does not tell what the program needs"):
        libraries(tmp_path)
