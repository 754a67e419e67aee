"""200 shots of a service that takes a second for each, beside a plain loop and the ideal.

    python tests/benchmarks/bench_schedule.py

16 requests at a time, photos of 200 kB, pictures of 1K, the pace off. The ideal is that of 16 slots
that never rest: 13 rounds of a second. From the first `sending` to the last `picture` of the journal.
Beside it, 16 tasks of bare httpx ask the same service for the same pictures and keep no journal.
"""

import base64
import time
from math import ceil

import anyio
import httpx
import rig

SHOTS = 200
AT_ONCE = 16
MAX_RATIO = 1.05
LATENCY_S = 1.0
SIZE = "1024x1024"
JOB = f'kind = "bulk"\nprompt = "brighter, please"\nsize = "{SIZE}"\n'


async def bare_s(base_url: str, contents: list[bytes]) -> float:
    """Give the seconds that 16 tasks need that do nothing but ask and download."""
    todo = iter(contents)
    headers = {"Authorization": "Bearer none"}
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(), headers=headers) as client:

        async def work() -> None:
            for content in todo:
                photo = "data:image/jpeg;base64," + base64.b64encode(content).decode()
                body = {
                    "model": "seedream-4-0-250828",
                    "prompt": "brighter, please",
                    "image": photo,
                    "size": SIZE,
                    "watermark": False,
                }
                answer = await client.post(f"{base_url}/images/generations", json=body)
                (await client.get(answer.json()["data"][0]["url"])).raise_for_status()

        began_s = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(work)
        return time.perf_counter() - began_s


def bench(made: rig.Rig) -> list[rig.Claim]:
    """Run the job and the loop, and compare both with the ideal."""
    contents = list(rig.photos(SHOTS, at_least_bytes=200_000))
    folder = made.job("shoot", JOB, iter(contents))
    ideal_s = ceil(SHOTS / AT_ONCE) * LATENCY_S
    service = made.service("--latency", str(LATENCY_S))
    program = made.program(service.base_url)
    done = program("run", folder, MAX_PARALLEL=str(AT_ONCE), timeout=300)
    assert done.code == 0, done.err
    (session,) = program.sessions()
    took_s = max(rig.times(session, "picture")) - min(rig.times(session, "sending"))
    assert len(list(session.glob("*.jpg"))) == SHOTS
    other = made.service("--latency", str(LATENCY_S))
    loop_s = anyio.run(bare_s, other.base_url, [content for _, content in contents])
    print(
        f"      {took_s:.2f} s; the ideal {ideal_s:.0f} s; a bare loop {loop_s:.2f} s", flush=True
    )
    return [rig.at_most("times the ideal", took_s / ideal_s, MAX_RATIO, "x", digits=3)]


if __name__ == "__main__":
    rig.main(bench)
