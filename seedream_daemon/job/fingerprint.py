"""What a shot asks, as one number: equal fingerprints ask for the same pictures."""

import hashlib
import json
from collections.abc import Sequence

from seedream_daemon.job.plan import Plan, Shot


def fingerprint(plan: Plan, shot: Shot, digests: Sequence[str]) -> str:
    """Give the sha256, in hex, of what is sent for a shot.

    `digests` are the sha256 of its photos as they lie in the drop, in the order of sending.
    Names do not count: a photo that was only renamed asks for the same.
    """
    asked = plan.asked
    said = {
        "prompt": shot.prompt,
        "model": plan.model,
        "size": plan.size,
        "count": asked.count,
        "seed": asked.seed,
        "guidance_scale": asked.guidance_scale,
        "output_format": asked.output_format,
        "optimize_prompt": asked.optimize_prompt,
        "photos": list(digests),
        "prepare": [photo.prepare for photo in shot.photos],
        "upright": bool(shot.photos) and plan.upright,
        "oversize": plan.oversize if shot.photos else None,
    }
    canonical = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
