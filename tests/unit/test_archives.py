import bz2
import gzip
import io
import lzma
import struct
import zipfile
from functools import partial
from pathlib import Path

import pytest

from lstm_lm.errors import UserError
from lstm_lm.text.sources import archives
from lstm_lm.text.sources.archives import in_order, read_blocks
from lstm_lm.text.sources.files import Skipped, SourceFile

TEXT = b"Shall I compare thee to a summer's day?\n" * 100


def source_file(name: str, content: bytes) -> SourceFile:
    return SourceFile(name, partial(io.BytesIO, content))


def make_zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(*files: SourceFile, alone: bool = True) -> tuple[dict[str, bytes], Skipped]:
    """The files, each with its content, and what was skipped."""
    skipped: Skipped = {}
    return {file.name: b"".join(read_blocks(file, size=100)) for file in in_order(files, skipped, alone)}, skipped


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_compressed_files_are_read_by_their_content(suffix: str, compress) -> None:
    packed = compress(TEXT) + compress(b"more")  # as by cat a.gz b.gz
    assert read(source_file(f"a.txt{suffix}", packed)) == ({f"a.txt{suffix}": TEXT + b"more"}, {})
    assert read(source_file("a", packed)) == ({"a": TEXT + b"more"}, {})
    assert read(source_file(f"a.txt{suffix}", TEXT)) == ({f"a.txt{suffix}": TEXT}, {})  # a server has unpacked it
    for damaged in (packed[:-9], packed[:30] + b"?" + packed[31:]):
        with pytest.raises(UserError, match=r"^a: cannot be unpacked, it is damaged or incomplete: "):
            read(source_file("a", damaged))


def test_members_of_a_zip_archive_are_files() -> None:
    members = {"texts/b.md": b"b", "texts/sub/a.txt": b"a", "texts/c.txt.gz": gzip.compress(b"c"), "texts/empty/": b""}
    content = make_zip(members)
    assert read(source_file("my.ZIP", content)) == ({"b.md": b"b", "c.txt.gz": b"c", "sub/a.txt": b"a"}, {})
    expected = {"my.zip/b.md": b"b", "my.zip/c.txt.gz": b"c", "my.zip/sub/a.txt": b"a", "z.txt": b"z"}
    files, _ = read(source_file("z.txt", b"z"), source_file("my.zip", content), alone=False)
    assert files == expected
    assert list(files) == list(expected)  # in order
    assert list(read(source_file("my.zip", content), alone=False)[0]) == list(expected)[:3]


def test_many_archives_are_read_in_order() -> None:
    files = [source_file(f"{i}.zip", make_zip({"a.txt": b"%d" % i, "b.txt": b"x"})) for i in range(9)]
    assert list(read(*files, alone=False)[0]) == [f"{i}.zip/{name}" for i in range(9) for name in ("a.txt", "b.txt")]


def test_what_is_no_text_by_its_name_is_left_out_of_an_archive() -> None:
    stream = io.BytesIO(make_zip({"a.txt": b"a", "a.txt~": b"old", "__MACOSX/._a.txt": b"x", ".DS_Store": b"x", ".old/b.txt": b"x"}))
    with zipfile.ZipFile(stream, "a") as archive:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    files, skipped = read(source_file("my.zip", stream.getvalue()))
    assert files == {"a.txt": b"a"}
    assert skipped == {"my.zip/a.txt~": "a backup", "my.zip/.old/b.txt": "hidden", "my.zip/link.txt": "a link"}


@pytest.mark.parametrize("name", ["../a.txt", "a/../../b.txt", "/etc/a.txt", "C:\\a.txt", "c:a.txt", "..\\a.txt"])
def test_a_member_that_leads_out_of_the_folder_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match=r"^my\.zip: its member '.*' leads out of the folder that it is unpacked to: remove it$"):
        read(source_file("my.zip", make_zip({"ok.txt": b"x", name: b"x"})))


def test_names_with_backslashes_are_those_of_folders() -> None:
    assert list(read(source_file("my.zip", make_zip({"x\\a.txt": b"a", "x\\y\\b.txt": b"b"})))[0]) == ["a.txt", "y/b.txt"]


def test_damaged_and_encrypted_archives_are_errors() -> None:
    content = make_zip({"a.txt": TEXT}, zipfile.ZIP_STORED)
    for damaged in (content[:-30], b"PK\x03\x04", b"", b"<html>not found</html>"):
        with pytest.raises(UserError, match=r"^my\.zip: is no zip archive, or a damaged or incomplete one: "):
            read(source_file("my.zip", damaged))
    at = content.index(TEXT)
    with pytest.raises(UserError, match=r"^a\.txt: cannot be unpacked, it is damaged or incomplete: Bad CRC-32"):
        read(source_file("my.zip", content[:at] + b"s" + content[at + 1 :]))
    encrypted = bytearray(content)
    encrypted[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UserError, match=r"^my\.zip: is protected by a password: unpack it$"):
        read(source_file("my.zip", bytes(encrypted)))


def test_of_a_zip_archive_that_lies_about_sizes_nothing_else_than_the_whole_text_is_read() -> None:
    def claim(size: int) -> bytes:
        content = make_zip({"a.txt": TEXT})
        for start, offset in ((content.index(b"PK\x01\x02"), 24), (0, 22)):  # the directory's entry, and the header before the member
            content = content[: start + offset] + struct.pack("<I", size) + content[start + offset + 4 :]
        return content

    with pytest.raises(UserError, match=r"^a\.txt: cannot be unpacked, it is damaged or incomplete: Bad CRC-32"):
        read(source_file("my.zip", claim(10)))
    assert read(source_file("my.zip", claim(len(TEXT) + 1000))) == ({"a.txt": TEXT}, {})  # by its checksum
    with pytest.raises(UserError, match=r"^my\.zip: holds 1 files of 4\.0 GB in 0\.0 MB: that is no archive of texts"):
        read(source_file("my.zip", claim(4_000_000_000)))


def test_what_unpacks_to_unreasonably_much_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1_000_000)
    zeros = bytes(3_000_000)
    with pytest.raises(
        UserError, match=r"^my\.zip: holds 1 files of 0\.0 GB in 0\.0 MB: that is no archive of texts; if it is, unpack it$"
    ):
        read(source_file("my.zip", make_zip({"a.txt": zeros})))
    with pytest.raises(UserError, match=r"^a\.txt\.gz: unpacks to more than 200 times its size: if it is a text, unpack it$"):
        read(source_file("a.txt.gz", gzip.compress(zeros)))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 1)
    with pytest.raises(UserError, match=r"^my\.zip: holds 2 files"):
        read(source_file("my.zip", make_zip({"a.txt": b"", "b.txt": b""})))


def test_names_that_cannot_be_written_are_errors_before_anything_is_read() -> None:
    def unread() -> io.BytesIO:
        raise AssertionError

    with pytest.raises(UserError, match=r"^a\.txt and a\.md would both become a\.txt: rename one of them$|^a\.md and a\.txt would"):
        next(in_order([SourceFile("a.txt", unread), SourceFile("a.md", unread)], {}, alone=False))
    with pytest.raises(UserError, match=r"^a\\nb\.txt: the file name has a newline or another control character in it: rename the file$"):
        next(in_order([SourceFile("a\nb.txt", unread)], {}, alone=False))
    with pytest.raises(UserError, match=r"^caf\\xe9\.txt: the file name is not UTF-8: rename the file$"):
        next(in_order([SourceFile("caf\udce9.txt", unread)], {}, alone=False))


def test_a_file_that_vanishes_is_an_error(tmp_path: Path) -> None:
    file = SourceFile("a.txt", partial(io.FileIO, tmp_path / "a.txt"))
    with pytest.raises(UserError, match=r"^a\.txt: cannot be read: No such file or directory$"):
        list(read_blocks(file))
