"""What every command answers: help, one JSON document, an exit code, plain lines."""

import json

import pytest

from seedream_daemon.cli.main import main
from seedream_daemon.cli.main import program as commands

T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'


def has_json(name: str) -> bool:
    return any("--json" in option.opts for option in commands.commands[name].params)


@pytest.fixture
def answer(monkeypatch, tmp_path, capsys):
    """Call a command in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.mark.parametrize("name", [None, *commands.commands])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_says_how_a_command_is_called(answer, name, flag) -> None:
    ended, out, err = answer(*([flag] if name is None else [name, flag]))

    assert (ended, err) == (0, "")
    assert out.startswith(f"Usage: seedream-daemon {name or '[OPTIONS]'}")


@pytest.mark.parametrize("name", [name for name in commands.commands if has_json(name)])
def test_a_wrong_option_is_told_as_one_document(answer, name) -> None:
    ended, out, err = answer(name, "--json", "--no-such-option")

    assert (ended, err) == (2, "")
    error = json.loads(out)["error"]
    assert error["code"] == "usage"
    assert "--no-such-option" in error["message"]


@pytest.mark.slow
def test_every_command_says_its_answer_as_one_document(emulator, program, job_folder) -> None:
    run = program(emulator().base_url)
    folder = job_folder("fox", T2I)

    ran = run("run", folder, "--json")
    session = ran.json["session"]
    answers = {
        words: run(*words, "--json")
        for words in [
            ("check", folder),
            ("check", folder, folder),
            ("run", folder, "--dry-run"),
            ("resume", session),
            ("retry", session),
            ("sessions",),
            ("show", session),
            ("spend",),
            ("sizes",),
            ("schema",),
        ]
    }

    assert [answer.code for answer in (ran, *answers.values())] == [0] * 11
    assert all(answer.json for answer in answers.values())
    assert {answer.err for answer in answers.values()} == {""}
    assert answers["resume", session].json["state"] == "done"
    assert answers["sessions",].json["sessions"][0]["session"] == session


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("run", "nowhere"), "usage", 2),
        (("check", "nowhere"), "usage", 2),
        (("run", "."), "bad_job", 2),
        (("resume", "nothing"), "unknown_session", 2),
        (("show", "nothing"), "unknown_session", 2),
        (("sessions", "--before", "x"), "usage", 2),
        (("--env", "nowhere.local", "sessions"), "config", 3),
        (("demo", "/dev/null/demo"), "config", 3),
        (("crops", "nowhere"), "usage", 2),
        (("crops", "."), "bad_job", 2),
        (("status",), "no_daemon", 3),
        (("jobs",), "no_daemon", 3),
        (("cancel", "j0123456789"), "no_daemon", 3),
        (("no-such-command",), "usage", 2),
    ],
)
def test_every_command_says_its_error_as_one_document(answer, words, code, exit_code) -> None:
    ended, out, err = answer(*words, "--json")

    error = json.loads(out)["error"]
    assert error["code"] == code
    assert error["message"]
    assert ended == exit_code
    assert err == ""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAX_PARALLEL", "many", "MAX_PARALLEL is 'many'; it must be a whole number"),
        ("MAX_PARALLEL", "0", "MAX_PARALLEL is '0'; it should be greater than or equal to 1"),
        ("SETTLE_SECONDS", "soon", "SETTLE_SECONDS is 'soon'; it must be a number"),
        (
            "SEEDREAM_MODEL_FAMILY",
            "5",
            (
                "SEEDREAM_MODEL_FAMILY is '5'; it should be '4.0', '4.5', '5.0-lite', '5.0-pro', "
                "'5.0-flash', '3.0-t2i' or 'seededit-3.0'"
            ),
        ),
        ("WATCH", "often", "WATCH is 'often'; it should be 'auto', 'events' or 'poll'"),
        (
            "ARK_BASE_URL",
            "http://ark.example.invalid",
            (
                "ARK_BASE_URL is 'http://ark.example.invalid'; it must begin with https:// (http "
                "is for this machine only)"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(
    monkeypatch, answer, name, value, said
) -> None:
    monkeypatch.setenv(name, value)

    assert answer("sessions") == (3, "", f"seedream-daemon: {said} (in the environment).\n")


@pytest.mark.parametrize("words", [("sessions",), ("show", "x"), ("resume", "x")])
def test_an_output_folder_that_is_a_file_is_told_by_commands_that_look(
    answer, tmp_path, words
) -> None:
    (tmp_path / "outputs").write_bytes(b"")

    assert answer(*words) == (
        3,
        "",
        (
            f"seedream-daemon: The sessions in {tmp_path / 'outputs'} cannot be listed: Not a "
            "directory. Look at OUTPUT_BASE_DIR.\n"
        ),
    )


def test_a_home_that_cannot_be_made_is_told(answer) -> None:
    assert answer("init", "/dev/null/home") == (
        3,
        "",
        (
            "seedream-daemon: /dev/null/home cannot be made: Not a directory. Name a folder that "
            "you may write to.\n"
        ),
    )


@pytest.mark.parametrize("encoding", ["ascii", "euc-kr", "utf-8"])
def test_what_the_locale_cannot_print_is_escaped(program, job_folder, encoding) -> None:
    run = program("http://127.0.0.1:9/api/v3")
    folder = job_folder("fox", 'kind = "t2i"\nprompt = "여우 😀"\n')

    document = run("check", folder, "--json", PYTHONIOENCODING=encoding)

    assert document.code == 0, document.err
    assert document.json["shots"][0]["prompt"] == "여우 😀"


def test_text_that_the_locale_cannot_print_does_not_end_a_command(program, job_folder) -> None:
    run = program("http://127.0.0.1:9/api/v3")
    folder = job_folder("fox", 'kind = "t2i"\nprompt = "여우 😀"\n')

    done = run("check", folder, PYTHONIOENCODING="ascii")

    assert (done.code, done.err) == (0, "")
    assert "\\uc5ec" in done.out


def test_lines_are_plain_and_whole_where_nobody_sits(emulator, program, job_folder) -> None:
    run = program(emulator().base_url)
    prompt = "a long prompt " * 20
    folder = job_folder("shoot", BULK.replace("retouch", prompt), dict.fromkeys(["a.jpg", "b.jpg"]))

    checked = run("check", folder)
    done = run("run", folder, MAX_PARALLEL="1")

    first, header, *rows = checked.out.splitlines()
    assert first == (f"{folder}: bulk, seedream-4-0-250828, 1024x1024, 2 shots, at most $0.06")
    assert header.split() == ["shot", "group", "photos", "prompt"]
    assert [row.split() for row in rows] == [
        [name, "1", *prompt.split()] for name in ("a.jpg", "b.jpg")
    ]
    (session,) = run.sessions()
    assert done.code == 0
    assert done.out == f"{session}\n"
    assert "\x1b" not in done.err
    said = [line.partition(" ")[2] for line in done.err.splitlines()[:-1]]
    # Pictures are fetched beside each other: the second may be there first.
    assert sorted(said) in [
        [
            f"[0/2] saved {first}.jpg -> {first}.jpg",
            f"[0/2] shoot: 2 shots -> {session}",
            f"[1/2] saved {second}.jpg -> {second}.jpg",
            "[2/2] shoot: done, 2 pictures.",
        ]
        for first, second in ("ab", "ba")
    ]
    assert done.err.splitlines()[-1] == "shoot: done. 2 pictures of 2 wanted, $0.06."


def test_a_model_of_unknown_price_has_a_price_nowhere(program, job_folder) -> None:
    run = program("http://127.0.0.1:9/api/v3")
    folder = job_folder("fox", T2I)
    unknown = {"SEEDREAM_MODEL_ID": "ep-20250101000000-abcde"}

    checked = run("check", folder, "--json", **unknown)
    told = run("check", folder, **unknown)
    stated = run("check", folder, "--json", **unknown, PRICE_PER_IMAGE_USD="0.05")

    assert checked.json["price_usd"] is None
    assert [shot["price_usd"] for shot in checked.json["shots"]] == [None]
    assert "price unknown" in told.out
    assert "$" not in told.out
    assert stated.json["price_usd"] == stated.json["shots"][0]["price_usd"] == 0.05


def test_exit_codes_of_a_run_tell_all_some_and_none(emulator, program, job_folder) -> None:
    run = program(emulator().base_url)
    good = job_folder("good", T2I)
    some = job_folder("some", BULK, {"a.jpg": None, "b.jpg": b""})
    wrong = job_folder("wrong", T2I + "x = 1\n")

    ran = run("run", some)

    assert ran.code == 1
    assert ran.err.splitlines()[-3:] == [
        "1 of 2 shots are saved; 1 failed.",
        "  b.jpg is empty; copy it again.",
        f"seedream-daemon retry {run.sessions()[0].name!r} asks only for what is missing.",
    ]
    assert run("check", good, some).code == 1
    assert run("check", some, wrong, good).code == 2
