"""Make one file of the launcher and the program's folder: python build/pack.py LAUNCHER FOLDER TARGET

archive.c describes the layout and reads it.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

import zstandard

MAGIC = b"clawmesh archive"
MANIFEST = "manifest"
LEVEL = 19
THREADS = 2


def main(launcher: Path, folder: Path, target: Path) -> None:
    """Write the executable. The folder gets a manifest, by which the program can verify its own files."""
    (folder / MANIFEST).unlink(missing_ok=True)
    (folder / MANIFEST).write_text("".join(f"{digest(file)} {place(file, folder)}\n" for file in files(folder)))
    listing = "".join(f"{file.stat().st_size} {place(file, folder)}\n" for file in files(folder))
    contents = compress(b"".join(file.read_bytes() for file in files(folder)))
    table = compress(listing.encode())
    trailer = struct.pack("=16s16sQQ", MAGIC, digest(folder / MANIFEST)[:16].encode(), len(table), len(contents))
    fresh = target.with_suffix(".part")
    fresh.write_bytes(launcher.read_bytes() + table + contents + trailer)
    fresh.chmod(0o755)
    fresh.rename(target)


def files(folder: Path) -> list[Path]:
    """Return the folder's files, the targets of symbolic links among them, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def digest(file: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def place(file: Path, folder: Path) -> str:
    """Return the file's mode in octal and its path inside the folder."""
    mode = 0o100755 if file.stat().st_mode & 0o100 else 0o100644
    return f"{mode:o} {file.relative_to(folder)}"


def compress(data: bytes) -> bytes:
    """Return one zstd frame with its length and checksum, which the launcher relies on."""
    return zstandard.ZstdCompressor(LEVEL, write_checksum=True, write_content_size=True, threads=THREADS).compress(data)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
