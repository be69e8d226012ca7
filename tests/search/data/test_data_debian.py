import io
import shutil
import subprocess
import tarfile

import pytest
from PIL import Image

from search.data import debian
from search.data.photographs import folder_photos
from search.errors import UserError


def photograph(colour):
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(stream, "JPEG")
    return stream.getvalue()


def tar(files, compression="xz"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("./usr/share/backgrounds/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
        archive.addfile(link)
    return stream.getvalue()


def ar(members):
    content = b"!<arch>\n"
    for name, data in members.items():
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        content += data + b"\n" * (len(data) % 2)
    return content


def deb(path, files, compression="xz"):
    data = tar(files, compression)
    path.write_bytes(
        ar({"debian-binary": b"2.0\n", "control.tar.xz": b"odd", f"data.tar.{compression}": data})
    )
    return path


FILES = {
    "./usr/share/backgrounds/a.jpg": photograph("red"),
    "./usr/share/backgrounds/mate/nature/b.jpg": photograph("blue"),
    "./usr/share/backgrounds/mate/desktop/logo.png": b"no photograph",
    "./usr/share/backgrounds/umang_by_Abhishek_Mudgal.jpg": b"a drawing",
    "./usr/share/doc/wallpapers/c.jpg": b"documentation",
}


@pytest.mark.parametrize("compression", ["xz", "gz"])
def test_photographs_of_a_package(tmp_path, compression):
    package = deb(tmp_path / "w_1_all.deb", FILES, compression)
    written = debian.extract_photographs(package, tmp_path / "out")
    assert [path.read_bytes() for path in written] == list(FILES.values())[:2]
    assert len(folder_photos(tmp_path / "out").photographs) == 2


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_a_package_that_dpkg_built(tmp_path):
    tree = tmp_path / "tree"
    (tree / "usr/share/backgrounds").mkdir(parents=True)
    (tree / "usr/share/backgrounds/a.jpg").write_bytes(photograph("red"))
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: w\nVersion: 1\nArchitecture: all\nMaintainer: w <w@example.org>\nDescription: w\n"
    )
    package = tmp_path / "w.deb"
    subprocess.run(["dpkg-deb", "-Zxz", "-b", tree, package], check=True, capture_output=True)
    (written,) = debian.extract_photographs(package, tmp_path / "out")
    assert written.read_bytes() == photograph("red")


def test_names_cannot_leave_the_folder(tmp_path):
    package = deb(tmp_path / "w.deb", {"usr/share/backgrounds/../../../x.jpg": photograph("red")})
    with pytest.raises(UserError, match="has no photographs"):
        debian.extract_photographs(package, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "is not a Debian package"),
        (b"!<arch>\n", "no data.tar member"),
        (ar({"data.tar.zst": b"x"}), "Python cannot read"),
        (ar({"data.tar.xz": b"no archive"}), "is damaged"),
        (ar({"data.tar.xz": tar(FILES)})[:300], "is damaged"),
        (ar({"data.tar.xz": tar({})}), "has no photographs"),
    ],
)
def test_packages_that_cannot_be_read(tmp_path, content, message):
    package = tmp_path / "w.deb"
    package.write_bytes(content)
    with pytest.raises(UserError, match=message):
        debian.extract_photographs(package, tmp_path / "out")


def test_without_apt(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs apt-get"), debian.debian_photos():
        pass


def test_failed_downloads_give_apt_s_reason(monkeypatch, tmp_path):
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(UserError, match=r"E: Unable to locate package.*apt-get update"):
        debian.download(("x",), tmp_path)
