"""300 kills at random moments: every picture that was paid for is on disk, or known to be in doubt.

    python tests/benchmarks/bench_kills.py [KILLS] [FIRST_SEED]

The stories kill ten times; this is the same campaign and the same judge, again and again: a bulk is
killed and resumed ten times, then left to end, and the service's bill is held against the session.
"""

import signal
import sys
import time
from pathlib import Path

import rig

KILLS = 300
KILLS_EACH = 10
kills = rig.load("stories/test_kills.py")


def campaign(made: rig.Rig, seed: int, most: int) -> tuple[int, int]:
    """Kill one job up to so many times; give how often it was, and the pictures that were billed.

    Raises AssertionError where a promise was broken.
    """
    service = made.service("--latency", "0.05")
    program = made.program(service.base_url)

    def job_folder(name: str, job: str, photos: dict[str, None]) -> Path:
        contents = (content for _, content in rig.photos(len(photos)))
        return made.job(name, job, zip(photos, contents, strict=True))

    folder = kills.shoot(job_folder, f"shoot{seed}")
    court = rig.stories.Court()
    kills.campaign(court, service, program, folder, kills=most, seed=seed)
    killed = [process.returncode for process in program._started].count(-signal.SIGKILL)
    billed = len(service.bill())
    program.end()
    service.kill()
    return killed, billed


def bench(made: rig.Rig) -> list[rig.Claim]:
    """Kill until it is enough, or until a promise is broken."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    killed, billed, broken, began_s = 0, 0, 0, time.monotonic()
    while killed < wanted and not broken:
        try:
            more = campaign(made, seed, min(KILLS_EACH, wanted - killed))
        except AssertionError as error:
            print(f"      seed {seed}: {error}", flush=True)
            broken += 1
        else:
            killed, billed, seed = killed + more[0], billed + more[1], seed + 1
    took_s = time.monotonic() - began_s
    print(f"      {killed} kills, {billed} pictures billed, {took_s:.0f} s", flush=True)
    return [rig.at_most("promises broken", broken, 0, "campaigns", digits=0)]


if __name__ == "__main__":
    rig.main(bench)
