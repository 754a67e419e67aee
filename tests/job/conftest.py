from pathlib import Path

import pytest

from seedream_daemon.errors import JobInvalidError
from seedream_daemon.job.listing import Entry, Listing
from seedream_daemon.job.planner import plan_job
from seedream_daemon.job.spec import draft_job


def _listing(*files, others=()):
    """A drop at /in/drop with these files, and their folders."""
    folders = {
        "/".join(file.split("/")[:depth])
        for file in files
        for depth in range(1, file.count("/") + 1)
    }
    entries = [Entry(name=name, path=name, kind="dir") for name in sorted(folders) if name]
    entries += [Entry(name=name, path=name, kind="file", size=9) for name in files]
    return Listing(root=Path("/in/drop"), entries=(*entries, *others))


@pytest.fixture(scope="session")
def listing():
    return _listing


@pytest.fixture
def plan():
    def plan(toml, *files, others=(), **settings):
        drop = _listing("job.toml", *files, others=others)
        settings = {"default_model": "seedream-4-0-250828", **settings}
        return plan_job(draft_job(toml.encode()), drop, **settings)

    return plan


@pytest.fixture
def mistakes(plan):
    """The mistakes of a job, as people read them."""

    def mistakes(toml, *files, **more):
        with pytest.raises(JobInvalidError) as caught:
            plan(toml, *files, **more)
        return [str(problem) for problem in caught.value.problems]

    return mistakes
