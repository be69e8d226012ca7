"""Photographs out of two Debian packages, without installing them: apt-get download, ar, tar."""

from __future__ import annotations

import io
import lzma
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from search.data.photographs import SUFFIXES, PhotoSet, folder_photos
from search.errors import UserError

PACKAGES = ("lomiri-wallpapers-16.04", "mate-backgrounds")
LICENCE = (
    "photographs of the Debian packages lomiri-wallpapers (CC0, CC-BY, CC-BY-SA) and "
    "mate-backgrounds (GPL-2+), see their copyright files"
)
PHOTOGRAPH_FOLDERS = ("usr/share/backgrounds", "usr/share/backgrounds/mate/nature")
"""Those packages' folders of photographs; their neighbours hold drawings and logos."""
DRAWINGS = frozenset({"umang_by_Abhishek_Mudgal.jpg"})
"""Files among the photographs that are none."""
DOWNLOAD_SECONDS = 600
_AR_MAGIC = b"!<arch>\n"


@contextmanager
def debian_photos() -> Iterator[PhotoSet]:
    """Download the packages to a temporary directory and yield their photographs.

    Raises `UserError` where apt-get is missing or the download fails.
    """
    with tempfile.TemporaryDirectory(prefix="lensnas-debian-") as temporary:
        folder = Path(temporary)
        for package in download(PACKAGES, folder):
            extract_photographs(package, folder / "photographs" / package.name.split("_")[0])
        yield folder_photos(folder / "photographs", LICENCE)


def download(packages: tuple[str, ...], folder: Path) -> list[Path]:
    """Fetch .deb files with `apt-get download` into `folder`; nothing is installed."""
    apt = shutil.which("apt-get")
    if apt is None:
        raise UserError("--debian needs apt-get, which is not on this machine: use --photos DIR")
    try:
        subprocess.run(
            [apt, "download", *packages],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"apt-get download {' '.join(packages)} failed ({reason}): "
            "try `apt-get update` first, or use --photos DIR"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"apt-get download took over {DOWNLOAD_SECONDS} s: try again") from error
    return sorted(folder.glob("*.deb"))


def extract_photographs(package: Path, folder: Path) -> list[Path]:
    """Unpack the JPEG and PNG files of a .deb's backgrounds into `folder`, flat.

    Links are skipped: packages offer one photograph under several names. Raises `UserError` if
    the file is not a .deb with photographs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(_data_archive(package)), mode="r:*") as archive:
            for member in archive:
                path = PurePosixPath(member.name.removeprefix("./"))
                if not member.isfile() or not _is_photograph(path):
                    continue
                stream = archive.extractfile(member)
                if stream is not None:
                    # Only the last part of the name is used: nothing can leave `folder`.
                    target = folder / f"{len(written):03d}-{path.name}"
                    target.write_bytes(stream.read())
                    written.append(target)
    except (tarfile.TarError, EOFError, lzma.LZMAError) as error:
        raise UserError(f"{package} is damaged: {error}") from error
    if not written:
        raise UserError(f"{package} has no photographs under {' or '.join(PHOTOGRAPH_FOLDERS)}")
    return written


def _is_photograph(path: PurePosixPath) -> bool:
    return (
        path.suffix.lower() in SUFFIXES
        and str(path.parent) in PHOTOGRAPH_FOLDERS
        and path.name not in DRAWINGS
    )


def _data_archive(package: Path) -> bytes:
    """The data.tar.* member of a .deb, which is an ar archive (deb(5))."""
    content = package.read_bytes()
    if not content.startswith(_AR_MAGIC):
        raise UserError(f"{package} is not a Debian package")
    offset = len(_AR_MAGIC)
    while offset + 60 <= len(content):
        header = content[offset : offset + 60]
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        size = header[48:58].strip()
        if not size.isdigit():
            break
        offset += 60
        if name.startswith("data.tar"):
            if not name.endswith((".tar", ".gz", ".xz", ".bz2")):
                raise UserError(f"{package}: {name} is compressed in a way Python cannot read")
            return content[offset : offset + int(size)]
        offset += int(size) + int(size) % 2  # members start at even offsets
    raise UserError(f"{package} is damaged: it has no data.tar member")
