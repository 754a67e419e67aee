"""What this package asks of the tools of a daemon."""

from collections.abc import Mapping
from typing import Any, Protocol

from seedream_daemon.tools.call import Call

Arguments = Mapping[str, Any]
Document = Mapping[str, Any]


class Toolbox(Protocol):
    """The tools of one daemon, one method each. All raise ToolRefusedError."""

    async def generate_image(self, arguments: Arguments, call: Call) -> Document:
        """Make pictures from text."""

    async def edit_image(self, arguments: Arguments, call: Call) -> Document:
        """Make pictures from photos."""

    async def check_job(self, arguments: Arguments, call: Call) -> Document:
        """Plan a job."""

    async def submit_job(self, arguments: Arguments, call: Call) -> Document:
        """Run a job."""

    async def get_job(self, arguments: Arguments, call: Call) -> Document:
        """Tell how a job stands."""

    async def cancel_job(self, arguments: Arguments, call: Call) -> Document:
        """End a job."""

    async def retry_job(self, arguments: Arguments, call: Call) -> Document:
        """Ask again for what a job lacks."""

    async def list_jobs(self, arguments: Arguments, call: Call) -> Document:
        """List jobs."""

    async def list_sessions(self, arguments: Arguments, call: Call) -> Document:
        """List sessions."""

    async def load_session(self, arguments: Arguments, call: Call) -> Document:
        """Tell what a session holds."""

    async def view_image(self, arguments: Arguments, call: Call) -> tuple[str, bytes]:
        """Give the words to a picture, and the picture as a small JPEG."""

    async def get_status(self, arguments: Arguments, call: Call) -> Document:
        """Tell how the daemon stands."""

    async def picture_file(self, session: str, key: str) -> tuple[str, bytes]:
        """Give the MIME type and the content of a picture, at most 700,000 bytes of it."""

    async def job_of_task(self, task_id: str) -> tuple[str, str] | None:
        """Give the job of a task, and the tool that began it; None for an unknown one."""

    def mark_answered(self, job_id: str) -> None:
        """Note that a client was told of a job."""
