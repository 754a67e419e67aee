import pytest

from seedream_daemon.inbox.whole import check_whole
from seedream_daemon.photos.folder import look


def check(folder):
    return check_whole(
        folder,
        look=lambda path, also: look(path, also=also),
        default_model="seedream-4-0-250828",
    )


def test_a_whole_drop_is_whole(tmp_path, fill):
    assert check(fill(tmp_path / "shoot", "a.png", "b.png")).ok


def test_a_named_photo_that_is_not_there_is_waited_for(tmp_path, fill):
    job = 'kind = "bulk"\nprompt = "x"\nphotos = ["a.png", "b.png"]\n'
    drop = fill(tmp_path / "shoot", "a.png", job=job)
    found = check(drop)
    assert (found.ok, found.cut_short) == (False, ())
    assert '"b.png", which is not there' in found.reason
    fill(drop, "a.png", "b.png", job=job)
    assert check(drop).ok


def test_expected_photos_are_waited_for(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png", job='kind = "bulk"\nprompt = "x"\nexpect = 3\n')
    assert check(drop).reason == "expect says 3 photos, and 1 are there"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:-4],
        lambda whole: whole[:20],
        lambda _: b"",
        lambda whole: bytes(len(whole)),
    ],
    ids=["no end", "a header", "empty", "room not yet filled"],
)
def test_a_photo_that_does_not_end_is_cut_short(tmp_path, fill, spoil):
    drop = fill(tmp_path / "shoot", "a.png", "b.png")
    (drop / "b.png").write_bytes(spoil((drop / "b.png").read_bytes()))
    assert check(drop).cut_short == ("b.png",)


def test_a_text_named_jpg_is_a_matter_of_the_job(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png")
    (drop / "b.jpg").write_text("these are not pixels", encoding="utf-8")
    assert check(drop).ok


@pytest.mark.parametrize("job", ["", 'kind = "bulk"\nprompt = "bri', 'kind = "bulk"\n[varia'])
def test_half_a_job_is_cut_short(tmp_path, fill, job):
    assert check(fill(tmp_path / "shoot", "a.png", job=job)).cut_short == ("job.toml",)


def test_half_a_letter_at_the_end_is_cut_short(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png")
    (drop / "job.toml").write_bytes('kind = "bulk"\nprompt = "사'.encode()[:-1])
    assert check(drop).cut_short == ("job.toml",)


@pytest.mark.parametrize(
    "job", ['kind = "poem"\n', 'kind = "bulk"\nprompt = "x"\ncolour = 1\n', "a = 1\n" * 90_000]
)
def test_a_job_that_is_wrong_is_whole_so_that_it_can_be_refused(tmp_path, fill, job):
    assert check(fill(tmp_path / "shoot", "a.png", job=job)).ok


def test_another_encoding_is_no_matter_of_waiting(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png")
    (drop / "job.toml").write_bytes('prompt = "사진"\n'.encode("cp949"))
    assert check(drop).ok


def test_a_job_that_is_a_link_or_has_a_second_extension_is_refused_later(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png", job=None)
    (drop / "job.toml").symlink_to("/etc/passwd")
    assert check(drop).ok
    (drop / "job.toml").rename(drop / "job.toml.txt")
    assert check(drop).ok
