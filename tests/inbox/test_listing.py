from seedream_daemon.inbox.listing import list_inbox


def test_folders_are_drops_and_all_else_is_loose(tmp_path):
    for name in ("b", "a", "_done", ".hidden", "x.part", "@eaDir", "-dash", "한국 사진 📷"):
        (tmp_path / name).mkdir()
    for name in ("photo.jpg", ".seedream-inbox", "Thumbs.db", "READ-ME-FIRST.txt"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = list_inbox(tmp_path)
    assert found.drops == ("-dash", "a", "b", "한국 사진 📷")
    assert [(one.name, one.why.split(";")[0]) for one in found.loose] == [
        ("link", "a symbolic link"),
        ("photo.jpg", "a loose file"),
        ("x.part", "a folder whose name says that it is unfinished"),
    ]
