import pytest

from seedream_daemon.inbox.mounts import file_system, is_silent

TABLE = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
90 27 0:50 / /srv/share rw,relatime shared:1 master:2 - nfs4 server:/x rw,vers=4.2
91 27 0:51 / /srv/my\040share rw - cifs //server/x rw
92 90 0:52 / /srv/share/fast rw - tmpfs tmpfs rw
93 27 0:53 / /mnt/ssh rw - fuse.sshfs host:/ rw
94 93 0:54 / /mnt/ssh rw - xfs /dev/vdb rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/inbox", "ext4"),
        ("/srv/share/inbox", "nfs4"),
        ("/srv/share", "nfs4"),
        ("/srv/shared", "ext4"),
        ("/srv/my share/inbox", "cifs"),
        ("/srv/share/fast/inbox", "tmpfs"),
        ("/mnt/ssh/inbox", "xfs"),
    ],
)
def test_the_deepest_and_last_mount_counts(path, kind):
    assert file_system(path, TABLE) == kind


def test_no_table_says_nothing():
    assert file_system("/inbox", "") == ""


@pytest.mark.parametrize(
    ("kind", "silent"),
    [
        ("nfs", True),
        ("cifs", True),
        ("fuse.sshfs", True),
        ("9p", True),
        ("ext4", False),
        ("", False),
        ("overlay", False),
    ],
)
def test_network_mounts_tell_nothing(kind, silent):
    assert is_silent(kind) is silent
