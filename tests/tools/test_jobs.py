import anyio
import pytest

from seedream_daemon.tools.refusal import ToolRefusedError

MODERATED = '[[fault]]\nmatch = { prompt = "bad" }\nfault = "moderation"\n'
GRID = {"kind": "grid", "crop": False, "prompts": ["good {p}", "{p}"]}
TREE = 'kind = "bulk"\nprompt = "brighter"\n'


async def refused(made):
    with pytest.raises(ToolRefusedError) as caught:
        await made
    return caught.value.code, caught.value.message


def drop(at, parent, name="shoot", job=TREE, photos=2):
    folder = parent / name
    for number in range(photos):
        at.photo(f"{number}.jpg", colour=number * 9, folder=folder)
    (folder / "job.toml").write_text(job, encoding="utf-8")
    return folder


def tree(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


async def test_a_folder_in_the_inbox_is_taken_at_once(desk):
    async with desk().open() as at:
        folder = drop(at, at.inbox)
        job = await at("submit_job", folder=str(folder), wait_seconds=20)
        assert (job["state"], job["origin"], job["saved"]) == ("done", "tool", 2)
        assert (at.inbox / "_done" / "shoot").is_dir()
        code, message = await refused(at("submit_job", folder=str(at.inbox / "_done" / "shoot")))
        assert (code, job["job_id"] in message) == ("already", True)


async def test_a_folder_elsewhere_is_only_read(desk):
    at = desk()
    shelf = at.home / "shelf"
    folder = drop(at, shelf)
    before = tree(shelf)
    async with at.open(ALLOWED_ROOTS=shelf):
        job = await at.done("submit_job", folder=str(folder))
        assert (job["state"], job["saved"]) == ("done", 2), job
        assert tree(shelf) == before
        (put_away,) = (at.inbox / "_done").iterdir()
        assert sorted(path.name for path in put_away.iterdir()) == ["job.toml", "result.json"]


async def test_a_folder_in_failed_is_resumed_in_its_session(desk):
    faults = '[[fault]]\nmatch = { nth = 1 }\nfault = "moderation"\n'
    async with desk(faults=faults).open() as at:
        folder = drop(at, at.inbox)
        first = await at.done("submit_job", folder=str(folder))
        assert (first["state"], first["saved"]) == ("failed", 1)
        # Only the photo of the refused shot changes: which one that is, the threads decide.
        at.photo(first["failures"][0]["shot"], colour=200, folder=at.inbox / "_failed" / "shoot")
        job = await at.done("submit_job", folder=str(at.inbox / "_failed" / "shoot"))
        assert (job["job_id"], job["state"]) == (first["job_id"], "done"), job
        assert job["session"] == first["session"]


async def test_a_retry_asks_only_for_what_is_missing(desk):
    async with desk("--latency", "0.3").open(MAX_PARALLEL="1") as at:
        folder = drop(at, at.inbox, photos=8)
        job = await at("submit_job", folder=str(folder))
        with anyio.fail_after(30):
            while not job["saved"]:
                job = await at("get_job", job_id=job["job_id"], wait_seconds=1)
        await at("cancel_job", job_id=job["job_id"])
        job = await at.ended(job["job_id"])
        assert (job["state"], 0 < job["saved"] < 8) == ("cancelled", True)
        price = 0.03 * (8 - job["saved"])
        assert f"${price:.2f}" in job["next_step"]
        job = await at.done("retry_job", job_id=job["job_id"])
        assert (job["state"], job["saved"]) == ("done", 8)
        assert len(at.emulator.bill()) == 8
        assert (at.inbox / "_done" / "shoot").is_dir()


async def test_what_was_refused_for_its_content_is_asked_again_only_by_name(desk):
    faults = '[[fault]]\nmatch = { prompt = "bad" }\nfault = "moderation"\ntimes = 1\n'
    async with desk(faults=faults).open() as at:
        groups = {"a": [at.photo("a.jpg")], "b": [at.photo("b.jpg")]}
        variables = {"a": {"p": "fine"}, "b": {"p": "bad"}}
        spec = {**GRID, "prompts": ["{p}"], "groups": groups, "variables": variables}
        job = await at.done("submit_job", spec=spec)
        assert (job["state"], job["saved"], job["failed"]) == ("failed", 1, 1)
        assert "1 was refused for the content" in job["next_step"]
        assert job["failures"][0]["key"] == "1_2"
        code, message = await refused(at("retry_job", job_id=job["job_id"]))
        assert (code, "shot" in message) == ("nothing_to_retry", True)
        code, _ = await refused(at("retry_job", job_id=job["job_id"], shot="r9_c9"))
        assert code == "unknown_shot"
        again = await at("retry_job", job_id=job["job_id"], shot="r1_c2", request_key="r")
        assert again["job_id"] == job["job_id"]
        ended = await at.ended(job["job_id"])
        assert (ended["state"], ended["saved"], ended["session"]) == ("done", 2, job["session"])
        repeated = await at("retry_job", job_id=job["job_id"], shot="r1_c2", request_key="r")
        assert repeated["repeated"]
        assert len(at.emulator.bill()) == 2
        code, _ = await refused(at("retry_job", job_id=job["job_id"]))
        assert code == "nothing_to_retry"


@pytest.mark.slow
async def test_a_retry_works_without_its_drop_and_after_a_restart(desk):
    faults = '[[fault]]\nfault = "500"\ntimes = 5\n'
    at = desk(faults=faults)
    async with at.open():
        job = await at("submit_job", spec={"kind": "t2i", "prompt": "x"}, request_key="k")
        await at("cancel_job", job_id=job["job_id"])
        job = await at.ended(job["job_id"])
        assert (job["state"], job["saved"]) == ("cancelled", 0), job
    for folder in (at.inbox / "_failed").iterdir():
        folder.rename(at.home / "taken away")
    async with at.open():
        again = await at.done("retry_job", job_id=job["job_id"])
        assert (again["state"], again["session"]) == ("done", job["session"]), again


async def test_tools_cancel_only_what_tools_began(desk):
    at = desk("--latency", "20")
    async with at.open(SETTLE_SECONDS="0.2", STOP_GRACE_SECONDS="0"):
        drop(at, at.inbox, name="mine")
        row = await at.listed()
        assert row["origin"] == "folder"
        code, _ = await refused(at("cancel_job", job_id=row["job_id"]))
        assert code == "not_yours"
        code, _ = await refused(at("retry_job", job_id=row["job_id"]))
        assert code == "not_ended"
        code, _ = await refused(at("view_image", job_id=row["job_id"]))
        assert code == "no_picture_yet"


async def test_any_job_may_be_cancelled_where_the_operator_says_so(desk):
    async with desk().open(MCP_CANCEL="all") as at:
        folder = drop(at, at.inbox, name="mine")
        (folder / "job.toml").rename(folder / "later.toml")
        row = await at.listed()
        job = await at("cancel_job", job_id=row["job_id"])
        assert (await at.ended(row["job_id"]))["state"] == "cancelled", job


async def test_nobody_knows_a_job_that_is_none(desk):
    async with desk().open() as at:
        for tool in ("get_job", "cancel_job", "retry_job"):
            code, _ = await refused(at(tool, job_id="j0000000000"))
            assert code == "unknown_job"
        code, _ = await refused(at("load_session", session="../x"))
        assert code == "unknown_session"


async def test_no_picture_at_all_is_an_error_and_the_next_call_a_new_wish(desk):
    async with desk(faults=MODERATED).open() as at:
        code, message = await refused(at("generate_image", prompt="bad"))
        assert code == "all_failed"
        assert "withheld it for its content" in message
        code, second = await refused(at("generate_image", prompt="bad"))
        assert (code, message.split("job ")[1][:11] in second) == ("all_failed", False)


async def test_a_wait_ends_in_time_and_tells_how_far_it_is(desk):
    told = []

    async def progress(done, total, message):
        told.append((done, total, message))

    async with desk("--latency", "3").open(STOP_GRACE_SECONDS="0") as at:
        began = anyio.current_time()
        job = await at("generate_image", at.call(progress=progress), prompt="a fox", wait_seconds=1)
        assert 0.9 < anyio.current_time() - began < 3
        assert job["state"] == "running"
        assert "do not submit again" in job["next_step"]
        assert told[-1] == (0.0, 1.0, "0/1 saved")
        assert {total for _, total, text in told if text == "waiting"} <= {None}
        job = await at("get_job", at.call(seconds=0.5), job_id=job["job_id"], wait_seconds=45)
        assert job["in_flight"] == 1


async def test_a_restart_goes_on_with_a_tools_job(desk):
    at = desk("--latency", "1")
    async with at.open(STOP_GRACE_SECONDS="0"):
        job = await at("submit_job", spec={"kind": "t2i", "prompt": "x"}, request_key="k")
    async with at.open():
        again = await at("submit_job", spec={"kind": "t2i", "prompt": "x"}, request_key="k")
        assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
        ended = await at.ended(job["job_id"])
        assert (ended["state"], ended["origin"]) == ("done", "tool")


async def test_pages_of_jobs_hold_while_jobs_are_added(desk):
    async with desk().open() as at:
        spec = {"kind": "t2i", "prompt": "x"}
        made = [
            (await at("submit_job", spec=spec, request_key=f"k{number}"))["job_id"]
            for number in range(5)
        ]
        for job_id in made:
            await at.ended(job_id)
        seen, cursor, number = [], None, 5
        while True:
            page = await at("list_jobs", limit=2, cursor=cursor)
            seen += [row["job_id"] for row in page["jobs"]]
            await at("submit_job", spec=spec, request_key=f"k{number}")
            number, cursor = number + 1, page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen))
        assert set(made) <= set(seen)
        only = await at("list_jobs", state="cancelled")
        assert only == {"jobs": [], "next_cursor": None}
        for bad in ("x", "AAAA", page["next_cursor"] or "e30", "WyJzZXNzaW9ucyIsImEiLCJiIl0"):
            assert (await refused(at("list_jobs", cursor=bad)))[0] == "bad_cursor"


async def test_a_drop_is_cancelled_also_while_it_is_being_taken(desk):
    async with desk("--latency", "3").open(MAX_PARALLEL="1", STOP_GRACE_SECONDS="0") as at:
        for number in range(4):
            folder = drop(at, at.inbox, name=f"shoot{number}")
            job = await at("submit_job", folder=str(folder))
            await at("cancel_job", job_id=job["job_id"])
            assert (await at.ended(job["job_id"]))["state"] == "cancelled"


async def test_a_folder_that_is_gone_is_told_as_a_mistake_of_the_call(desk):
    async with desk().open() as at:
        for name in ("gone", "n" * 300):
            plan = await at("check_job", folder=str(at.inbox / name))
            assert plan["problems"][0]["message"].startswith("there is no such folder")
            for parent in (at.photos, at.inbox / "_done"):
                code, message = await refused(at("submit_job", folder=str(parent / name)))
                assert (code, "no such folder" in message) == ("bad_job", True)


async def test_a_spec_that_is_no_json_is_told_as_such(desk):
    async with desk().open() as at:
        plan = await at("check_job", spec='{"kind": "t2i", ')
        assert [problem["message"] for problem in plan["problems"]] == [
            "this text is no JSON; send the object itself"
        ]
