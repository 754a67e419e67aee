import json

import pytest

from seedream_daemon.tools.documents import JOB, PLAN, SESSION
from seedream_daemon.tools.refusal import ToolRefusedError


async def test_a_picture_is_made_from_text(desk):
    async with desk().open() as at:
        job = await at("generate_image", prompt="a red fox in snow", wait_seconds=30)
        assert list(job) == JOB["required"]
        assert (job["state"], job["saved"], job["origin"]) == ("done", 1, "tool")
        assert job["price_usd"] == job["cost_usd"] == 0.03
        (picture,) = job["pictures"]
        assert picture.startswith(str(at.outputs))
        assert picture.endswith("01.jpg")
        loaded = await at("load_session", session=job["session"])
        assert list(loaded) == SESSION["required"]
        assert [item["key"] for item in loaded["items"]] == ["01"]
        text, picture = await at("view_image", session=job["session"], key="01")
        assert len(picture) <= 46_000
        assert json.loads(text)["key"] == "01"


async def test_a_grid_is_checked_submitted_and_looked_at(desk):
    async with desk().open() as at:
        spec = {
            "kind": "grid",
            "crop": False,
            "prompts": ["ID photo of a {gender}", "the same {gender} in grey"],
            "groups": {
                "man": [at.photo("m1.jpg"), at.photo("m2.jpg")],
                "woman": [at.photo("w1.jpg")],
            },
            "variables": {"man": {"gender": "man"}, "woman": {"gender": "woman"}},
        }
        plan = await at("check_job", spec=spec)
        assert list(plan) == PLAN["required"]
        assert (plan["ok"], plan["shots"], plan["price_usd"]) == (True, 4, 0.12), plan
        assert plan["first_shots"][1]["key"] == "1_2"
        job = await at.done("submit_job", spec=json.dumps(spec), request_key="k1")
        assert (job["state"], job["saved"]) == ("done", 4), job
        again = await at("submit_job", spec=spec, request_key="k1")
        assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
        text, sheet = await at("view_image", job_id=job["job_id"])
        assert json.loads(text)["legend"]["columns"] == {"1": "man", "2": "woman"}
        assert len(sheet) <= 300_000
        _, row = await at("view_image", session=job["session"], key="2_*")
        _, cell = await at("view_image", session=job["session"], key="2_1")
        assert row
        assert cell
        with pytest.raises(ToolRefusedError, match="unknown_key"):
            await at("view_image", session=job["session"], key="3_*")
        assert len(at.emulator.bill()) == 4
        listed = await at("list_sessions")
        assert [row["session"] for row in listed["sessions"]] == [job["session"]]
        jobs = await at("list_jobs")
        assert [row["job_id"] for row in jobs["jobs"]] == [job["job_id"]]
        status = await at("get_status")
        assert (status["state"], status["spend"]["tools_today_usd"]) == ("ok", 0.12)


async def test_mistakes_of_keys_and_of_what_they_name_are_told_at_once(desk):
    async with desk().open() as at:
        spec = {
            "kind": "i2i",
            "prompt": "a {who}",
            "cuont": 2,
            "photos": [at.photo("a.jpg"), 3, f"{at.photo('b.jpg')}.jpg"],
            "size": "9x9",
        }
        plan = await at("check_job", spec=spec)
        assert plan["ok"] is False
        assert {problem["key"] for problem in plan["problems"]} == {
            "cuont",
            "photos[2]",
            "photos[3]",
            "prompt",
            "size",
        }
        assert {problem["file"] for problem in plan["problems"]} == {"spec"}
