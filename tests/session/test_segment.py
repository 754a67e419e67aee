import resource
import subprocess
import sys
from pathlib import Path

import pytest

from seedream_daemon.session.segment import JournalFile, journal_files

OPEN_FILES = Path("/proc/self/fd")


def test_journals_are_in_the_order_of_their_numbers(tmp_path):
    for name in (
        "journal-0010.jsonl",
        "journal-0002.jsonl",
        "journal-10000.jsonl",
        "journal-x.jsonl",
        "a",
    ):
        (tmp_path / name).touch()
    assert [path.name for path in journal_files(tmp_path)] == [
        "journal-0002.jsonl", "journal-0010.jsonl", "journal-10000.jsonl",
    ]  # fmt: skip


def test_no_journal_of_another_start_is_ever_appended_to(tmp_path):
    (tmp_path / "journal-0001.jsonl").write_bytes(b"theirs\n")
    journal = JournalFile(tmp_path, last_number=0)
    journal.write(b"ours\n", durable=True)
    journal.close()
    journal.write(b"later\n", durable=False)
    journal.close()
    assert [path.read_bytes() for path in journal_files(tmp_path)] == [
        b"theirs\n",
        b"ours\n",
        b"later\n",
    ]
    assert journal.written_bytes == 11


def test_a_folder_that_is_gone_is_told_and_leaves_nothing_open(tmp_path):
    before = len(list(OPEN_FILES.iterdir()))
    with pytest.raises(FileNotFoundError):
        JournalFile(tmp_path / "gone", last_number=0).write(b"x\n", durable=True)
    assert len(list(OPEN_FILES.iterdir())) == before


def test_a_short_write_leaves_no_part_of_a_line(tmp_path):
    # A limit on the size of files cuts a write exactly as a full disk does.
    code = f"""
import resource, signal, sys
from pathlib import Path
from seedream_daemon.session.segment import JournalFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = JournalFile(Path({str(tmp_path)!r}), last_number=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
journal.write(b"a" * 59 + b"\\n", durable=True)
try:
    journal.write(b"b" * 59 + b"\\n", durable=True)
except OSError as error:
    print(error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write(b"c" * 9 + b"\\n", durable=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"27"
    (path,) = journal_files(tmp_path)
    assert path.read_bytes() == b"a" * 59 + b"\n" + b"c" * 9 + b"\n"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
