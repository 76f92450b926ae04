"""The container image, made of the program's folder and what that needs of this system; no Docker needed.

It is an OCI image layout in one tar file, which `docker load`, `podman load` and `skopeo copy oci-archive:` take. The
same folder gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from executable import FOLDER, build_executable
from steps import BUILD, ROOT, StepError, step

IMAGE = BUILD / "dist" / "clawmesh-image.tar"
PROGRAM, DATA, HOME = "opt/clawmesh", "data", "etc/clawmesh"
# The volume itself may belong to root, or to a group that may write to it.
WITHIN = f"/{DATA}/clawmesh"
USER = 65534
PORT = 7411
MAGIC = b"\x7fELF"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The C library loads it by name when a thread ends, and nobody says so.
BY_NAME = ("libgcc_s.so.1",)
CERTIFICATES = FOLDER / "_internal" / "certifi" / "cacert.pem"
FILES = {
    "etc/passwd": f"nobody:x:{USER}:{USER}:clawmesh:/{DATA}:/sbin/nologin\n",
    "etc/group": f"nogroup:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Entry(NamedTuple):
    """A file or (without a source) a folder of the image."""

    name: str
    mode: int
    source: Path | bytes | None = None
    owner: int = 0


class Blob(NamedTuple):
    """Something in the image's store, by its hash."""

    media: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        return f"blobs/sha256/{self.digest}"

    def described(self, **more: Any) -> dict[str, Any]:
        return {"mediaType": self.media, "digest": f"sha256:{self.digest}", "size": len(self.content), **more}


def build_image() -> None:
    """Build the executable if need be, and the image of its folder.

    Raises StepError if this system lacks what goes into it.
    """
    build_executable()
    step(f"packing {IMAGE.relative_to(ROOT)}")
    content = layer(entries(FOLDER))
    write(content, IMAGE, version())
    print(f"{IMAGE.relative_to(ROOT)}: {IMAGE.stat().st_size / 1e6:.1f} MB, unpacked {len(content) / 1e6:.1f} MB")


def version() -> str:
    """Return the version of the program."""
    found = re.search(r'VERSION = "(.+)"', (ROOT / "clawmesh" / "version.py").read_text())
    if found is None:
        raise StepError("clawmesh/version.py names no version")
    return found[1]


def entries(folder: Path) -> Iterator[Entry]:
    """Yield everything that is in the image, apart from the folders that lead to it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield Entry(f"{PROGRAM}/{path.relative_to(folder)}", mode, path)
    for name, path in sorted(libraries(folder).items()):
        yield Entry(name, 0o755, path)
    for name, text in FILES.items():
        yield Entry(name, 0o644, text.encode())
    yield Entry("etc/ssl/certs/ca-certificates.crt", 0o644, CERTIFICATES)
    yield Entry(HOME, 0o755)
    yield Entry("tmp", 0o1777)
    # A fresh volume takes over whose it is.
    yield Entry(DATA, 0o700, owner=USER)


def libraries(folder: Path) -> dict[str, Path]:
    """Return the shared libraries of this system that the program needs, and the loader, by their place in the image.

    Raises StepError if one is not here.
    """
    programs = [path for path in sorted(folder.rglob("*")) if path.is_file() and _begins(path, MAGIC)]
    internal = str(folder / "_internal")
    command = ["ldd", *map(str, programs)]
    environment = {"LD_LIBRARY_PATH": internal, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    missing = sorted(set(re.findall(r"^\s*(\S+) => not found", told, re.MULTILINE)))
    if missing:
        raise StepError(f"the program needs libraries that are not here: {', '.join(missing)}")
    found = {Path(place) for place in re.findall(r"=> (/\S+) \(", told) if not place.startswith(internal)}
    beside = next(iter(sorted(found)), Path("/lib/libc.so.6")).parent
    found |= {beside / name for name in BY_NAME if (beside / name).exists() and not Path(internal, name).exists()}
    found |= {Path(place) for place in re.findall(r"^\s*(/\S+ld[-\w.]*\.so\.\d) \(", told, re.MULTILINE)}
    if not any(path.name.startswith("libc.so") for path in found):
        raise StepError(f"ldd does not tell what the program needs:\n{told[-1000:]}")
    return {str(path).removeprefix("/"): path.resolve() for path in found}


def _begins(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def layer(found: Iterable[Entry]) -> bytes:
    """Return the entries as a tar archive, in which nothing depends on when and by whom it is made."""
    listed = {entry.name: entry for entry in found}
    for name in [*listed]:
        for parent in Path(name).parents:
            if parent.name:
                listed.setdefault(str(parent), Entry(str(parent), 0o755))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for _, entry in sorted(listed.items()):
            info = tarfile.TarInfo(entry.name)
            info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
            if entry.source is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
                continue
            content = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def write(content: bytes, target: Path, release: str) -> None:
    """Write the image with this one layer, whole or not at all."""
    packed = Blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(content, 9, mtime=0))
    config = Blob("application/vnd.oci.image.config.v1+json", _json(configuration(content, release)))
    manifest = Blob(
        "application/vnd.oci.image.manifest.v1+json",
        _json({"schemaVersion": 2, "config": config.described(), "layers": [packed.described()]}),
    )
    name = {"org.opencontainers.image.ref.name": release, "io.containerd.image.name": f"clawmesh:{release}"}
    index = {"schemaVersion": 2, "manifests": [manifest.described(annotations=name)]}
    loaded = [{"Config": config.path, "RepoTags": [f"clawmesh:{release}"], "Layers": [packed.path]}]
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json(index),
        "manifest.json": _json(loaded),  # for a Docker that knows no OCI layout
        **{blob.path: blob.content for blob in (config, manifest, packed)},
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(".part")
    with tarfile.open(fresh, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path, held in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(held), 0o644
            archive.addfile(info, io.BytesIO(held))
    fresh.rename(target)


def configuration(content: bytes, release: str) -> dict[str, Any]:
    """Return what a container of this image runs, as whom and with what."""
    return {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": [f"/{PROGRAM}/clawmesh"],
            "Cmd": ["serve"],
            # Here clawmesh.toml is looked for.
            "WorkingDir": f"/{HOME}",
            "Env": [f"PATH=/{PROGRAM}", f"HOME=/{DATA}", f"CLAWMESH_DATA={WITHIN}", "LANG=C.UTF-8"],
            "Volumes": {f"/{DATA}": {}},
            "ExposedPorts": {f"{PORT}/tcp": {}},
            "StopSignal": "SIGTERM",
            "Labels": {"org.opencontainers.image.title": "ClawMesh", "org.opencontainers.image.version": release},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "python3 build/make.py image"}],
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
