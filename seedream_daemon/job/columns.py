"""The columns of a grid: its groups, and the common photos that go before theirs."""

from collections.abc import Mapping, Sequence

from seedream_daemon.job.gather import Gatherer, cropped
from seedream_daemon.job.limits import check_set
from seedream_daemon.job.mistakes import Findings
from seedream_daemon.job.mistakes import Path as Place
from seedream_daemon.job.models import Family
from seedream_daemon.job.names import NAME_MAX_BYTES, nfc
from seedream_daemon.job.plan import Group, Photo
from seedream_daemon.job.schema import MAX_COMMON, MAX_GROUPS, JobSpec
from seedream_daemon.job.variables import values_of

_NOT_GROUPS = frozenset({"common", "photos"})


def gather_columns(
    spec: JobSpec, family: Family, gatherer: Gatherer, findings: Findings
) -> tuple[tuple[Photo, ...], tuple[Group, ...]]:
    """Give the common photos and the groups, with every mistake noted."""
    common = _common(spec, gatherer, findings)
    room = family.max_references - len(common)
    found = _photos_by_group(spec, gatherer, findings)
    _check_number(tuple(found), findings)
    if found and family.max_references and room < 1:
        findings.add(
            ("common",),
            f"common leaves no room for the groups: {family.title} takes "
            f"{family.max_references} photos in a request",
            found=len(common),
        )
    labels = {nfc(name): label for name, label in spec.labels.items()}
    groups = tuple(
        Group(
            name=name,
            label=labels.get(name, name),
            photos=cropped(photos[:room]) if spec.crop else photos[:room],
            variables=tuple(values_of(spec, name).items()),
            left_out=tuple(photo.name for photo in photos[room:]),
        )
        for name, photos in found.items()
    )
    most = max((len(group.photos) for group in groups), default=0)
    check_set(spec, len(common) + most, findings)
    return common, groups


def _common(spec: JobSpec, gatherer: Gatherer, findings: Findings) -> tuple[Photo, ...]:
    if spec.common is None and not gatherer.has_folder("common"):
        return ()
    before = len(findings)
    photos = gatherer.photos(("common",), spec.common if spec.common is not None else "common")
    if len(photos) > MAX_COMMON:
        findings.add(
            ("common",),
            f"common takes at most {MAX_COMMON} photos; there are {len(photos)}",
            found=len(photos),
            allowed=f"at most {MAX_COMMON}",
        )
    if spec.common and not photos and len(findings) == before:
        findings.add_missing(("common",), "common holds no photos", found=spec.common)
    return photos


def _photos_by_group(
    spec: JobSpec, gatherer: Gatherer, findings: Findings
) -> Mapping[str, tuple[Photo, ...]]:
    if isinstance(spec.groups, dict):
        return _from_table(spec.groups, gatherer, findings)
    folders = _group_folders(spec, gatherer, findings)
    found = {}
    for folder in folders:
        name = folder.rpartition("/")[2]
        found[name] = _of_group(name, ("groups",), folder, gatherer, findings)
    return found


def _group_folders(spec: JobSpec, gatherer: Gatherer, findings: Findings) -> tuple[str, ...]:
    if isinstance(spec.groups, str) or gatherer.has_folder("groups"):
        name = spec.groups if isinstance(spec.groups, str) else "groups"
        parent = gatherer.folder(("groups",), name)
        folders = () if parent is None else gatherer.folders(parent)
        if parent is not None and not folders:
            findings.add_missing(
                ("groups",), f"there are no groups: the folder {parent} holds no folders"
            )
        return folders
    common = spec.common if isinstance(spec.common, str) else "common"
    folders = tuple(
        name
        for name in gatherer.folders("")
        if name not in _NOT_GROUPS | {nfc(common).strip("/")} and not name.startswith(("_", "."))
    )
    if not folders:
        findings.add_missing(
            (), "there are no groups: make a folder groups with a folder of photos for each"
        )
    return folders


def _from_table(
    table: Mapping[str, str | Sequence[str]], gatherer: Gatherer, findings: Findings
) -> Mapping[str, tuple[Photo, ...]]:
    found: dict[str, tuple[Photo, ...]] = {}
    for key, asked in table.items():
        name, place = nfc(key), ("groups", key)
        if not _names_a_folder(name):
            findings.add(
                place,
                f'groups.{key} cannot name a folder of the session: take away "/", control '
                "characters and a first dot, and keep it short",
                found=key,
            )
        elif name in found:
            findings.add(place, f"groups names {name} twice", found=key)
        else:
            found[name] = _of_group(name, place, asked, gatherer, findings)
    if not table:
        findings.add(("groups",), "groups is empty; give each group its photos")
    return found


def _of_group(
    name: str,
    place: Place,
    asked: str | Sequence[str],
    gatherer: Gatherer,
    findings: Findings,
) -> tuple[Photo, ...]:
    before = len(findings)
    photos = gatherer.photos(place, asked)
    if not photos and len(findings) == before:
        findings.add_missing(
            place,
            f"group {name} holds no photos; put some into its folder, or take the group away",
            found=name,
        )
    return photos


def _check_number(names: Sequence[str], findings: Findings) -> None:
    if len(names) > MAX_GROUPS:
        findings.add(
            ("groups",),
            f"a grid takes at most {MAX_GROUPS} groups; there are {len(names)}: "
            f"{', '.join(names)}; take some away, or move them into a second job",
            found=len(names),
            allowed=f"at most {MAX_GROUPS}",
        )


def _names_a_folder(name: str) -> bool:
    fits = 0 < len(name.encode("utf-8", "surrogateescape")) <= NAME_MAX_BYTES
    return fits and "/" not in name and not name.startswith(".") and name.isprintable()
