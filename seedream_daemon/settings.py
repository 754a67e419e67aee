"""Environment and env file -> frozen Settings: every default, unit and secret."""

import difflib
import os
import stat
import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from io import StringIO
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from seedream_daemon.ark.hosts import checked_host
from seedream_daemon.errors import ConfigError
from seedream_daemon.job.models import FamilyName

BYTEPLUS_BASE_URL = "https://ark.ap-southeast.bytepluses.com/api/v3"


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host is None or host == "localhost":
        return host is not None
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address such as " + BYTEPLUS_BASE_URL)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must begin with https:// (http is for this machine only)")
    return url.rstrip("/")


def _split(separator: str) -> BeforeValidator:
    def split(value: Any) -> Any:
        if isinstance(value, str):
            return [part.strip() for part in value.split(separator) if part.strip()]
        return value

    return BeforeValidator(split)


def _dollars_to_micro(value: Any) -> Any:
    """Turn "1.50" into 1500000, exactly; whole micro-dollars are the smallest unit."""
    if not isinstance(value, str):
        return value
    try:
        micro = Decimal(value) * 1_000_000
    except InvalidOperation:
        raise ValueError("must be an amount in US dollars such as 2.50") from None
    if not micro.is_finite() or micro < 0 or micro != micro.to_integral_value():
        raise ValueError("must be an amount in US dollars, at most 6 decimals, such as 2.50")
    return int(micro)


_Host = Annotated[str, AfterValidator(checked_host)]
MicroUsd = Annotated[int, BeforeValidator(_dollars_to_micro)]


class Settings(BaseModel):
    """What the operator chose. Paths are absolute; money is in whole micro-dollars."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ark_api_key: SecretStr | None = None
    ark_api_key_file: Path | None = None
    ark_base_url: Annotated[str, AfterValidator(_checked_base_url)] = BYTEPLUS_BASE_URL
    result_hosts: Annotated[tuple[_Host, ...], _split(",")] = ()
    seedream_model_id: str = "seedream-4-0-250828"
    seedream_model_family: FamilyName | None = None
    inbox_dir: Path = Path("inbox")
    output_base_dir: Path = Path("outputs")
    state_dir: Path = Path()
    max_parallel: int = Field(default=8, ge=1, le=256)
    images_per_minute: int = Field(default=500, ge=0)
    settle_seconds: float = Field(default=10, ge=0)
    rescan_seconds: float = Field(default=60, gt=0)
    stop_grace_seconds: float = Field(default=90, ge=0)
    watch: Literal["auto", "events", "poll"] = "auto"
    max_input_mb: float = Field(default=10, gt=0)
    daily_budget_usd: MicroUsd | None = None
    job_budget_usd: MicroUsd | None = None
    price_per_image_usd: MicroUsd | None = None
    ambiguous: Literal["retry", "hold"] = "retry"
    allowed_roots: Annotated[tuple[Path, ...], _split(os.pathsep)] = ()
    cropper_path: Path | None = None
    face_model_path: Path | None = None
    mcp_host: str = "127.0.0.1"
    mcp_port: int | None = Field(default=None, ge=1, le=65535)
    mcp_token_file: Path | None = None
    mcp_confirm_usd: MicroUsd = 1_000_000
    mcp_max_job_usd: MicroUsd = 10_000_000
    mcp_daily_budget_usd: MicroUsd = 10_000_000
    mcp_images: Literal["thumbnails", "none"] = "thumbnails"
    mcp_cancel: Literal["own", "all"] = "own"
    log_format: Literal["console", "json"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def require_key(self) -> SecretStr | None:
        """Return the key; None only for a service on this machine, which needs none.

        Raises ConfigError if the service needs a key and there is none, or its file is unusable.
        """
        if self.ark_api_key is not None:
            return self.ark_api_key
        if self.ark_api_key_file is not None:
            return SecretStr(_key_in(self.ark_api_key_file))
        if is_loopback(urlsplit(self.ark_base_url).hostname):
            return None
        raise ConfigError(
            "ARK_API_KEY is not set. Put the key of your BytePlus ModelArk account into env.local "
            "(see env.example), or name a file that holds it with ARK_API_KEY_FILE."
        )

    @classmethod
    def from_values(
        cls, environment: Mapping[str, str], file_values: Mapping[str, str], *, file: Path | None
    ) -> Self:
        """Merge a file's values and the environment, which wins, into Settings.

        Relative paths of the file are relative to it, others to the current folder.
        Raises ConfigError naming each wrong value.
        """
        merged: dict[str, Any] = {}
        for source, folder in ((file_values, file.parent if file else None), (environment, None)):
            for name in _VARIABLES & source.keys():
                value = source[name].strip()
                if value:
                    merged[name.lower()] = _placed(name, value, folder or Path.cwd())
                else:
                    merged.pop(name.lower(), None)
        merged.setdefault("state_dir", _platform_state_dir(environment))
        for name in ("inbox_dir", "output_base_dir"):
            merged.setdefault(
                name, (file.parent if file else Path.cwd()) / cls.model_fields[name].default
            )
        try:
            return cls.model_validate(merged)
        except ValidationError as error:
            raise ConfigError(_wrong_values(error, environment, file)) from None


_VARIABLES = frozenset(name.upper() for name in Settings.model_fields)
PATHS = frozenset(
    {
        "ARK_API_KEY_FILE",
        "INBOX_DIR",
        "OUTPUT_BASE_DIR",
        "STATE_DIR",
        "CROPPER_PATH",
        "FACE_MODEL_PATH",
        "MCP_TOKEN_FILE",
    }
)
_KNOWN_ELSEWHERE = {"SEEDREAM_ENV_FILE", "SEEDREAM_SOCKET", "SEEDREAM_FAILPOINT", "STREAMING"}


def load_settings(
    environment: Mapping[str, str], env_file: Path | None = None, *, use_current_folder: bool = True
) -> tuple[Settings, tuple[str, ...]]:
    """Read the settings and the warnings that go with them.

    The file is `env_file`, else $SEEDREAM_ENV_FILE, else `env.local` in the current folder if
    `use_current_folder`. Raises ConfigError.
    """
    warnings: list[str] = []
    file = _chosen_file(environment, env_file, use_current_folder=use_current_folder)
    file_values = _values_in(file) if file else {}
    if "STREAMING" in file_values or "STREAMING" in environment:
        warnings.append(
            "STREAMING is no longer a setting and is ignored: streaming is always used "
            "where the model has it."
        )
    warnings += [
        f"{name} in {file} is not a setting{_nearest(name)}; it is ignored."
        for name in file_values
        if name not in _VARIABLES | _KNOWN_ELSEWHERE
    ]
    return Settings.from_values(environment, file_values, file=file), tuple(warnings)


def _chosen_file(
    environment: Mapping[str, str], env_file: Path | None, *, use_current_folder: bool
) -> Path | None:
    named = env_file or (Path(value) if (value := environment.get("SEEDREAM_ENV_FILE")) else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(
                f"The settings file {named} does not exist. Check --env or SEEDREAM_ENV_FILE."
            )
        return named.absolute()
    found = Path.cwd() / "env.local"
    if not use_current_folder or not found.is_file():
        return None
    _refuse_untrusted(found)
    return found


def _refuse_untrusted(found: Path) -> None:
    """A file that merely lies in the current folder must be ours before it may choose a key."""
    facts = found.stat()
    if (found.parent / "job.toml").exists():
        reason = "it lies beside a job.toml, where a stranger may have put it"
    elif facts.st_uid not in {os.geteuid(), 0}:
        reason = f"it belongs to uid {facts.st_uid}"
    elif facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = (
            f"others may write to it (mode {stat.S_IMODE(facts.st_mode):o}); chmod 600 mends that"
        )
    else:
        return
    raise ConfigError(f"{found} is not used: {reason}. Name the file you mean with --env FILE.")


def _values_in(file: Path) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The settings file {file} cannot be read as UTF-8 text: {error}."
        ) from error
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value or "" for name, value in values.items()}


def _placed(name: str, value: str, folder: Path) -> str:
    if name in PATHS:
        return os.path.abspath(folder / Path(value).expanduser())  # noqa: PTH100 - links stay as named
    if name == "ALLOWED_ROOTS":
        return os.pathsep.join(
            os.path.abspath(folder / Path(part.strip()).expanduser())  # noqa: PTH100
            for part in value.split(os.pathsep)
            if part.strip()
        )
    return value


def _platform_state_dir(environment: Mapping[str, str]) -> Path:
    """Where this platform keeps state: $STATE_DIRECTORY under systemd, XDG elsewhere."""
    if directory := environment.get("STATE_DIRECTORY"):
        return Path(directory.split(":")[0])
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "seedream-daemon"
    base = environment.get("XDG_STATE_HOME")
    return (
        Path(base) if base and Path(base).is_absolute() else home / ".local" / "state"
    ) / "seedream-daemon"


def _key_in(file: Path) -> str:
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"ARK_API_KEY_FILE names {file}, which cannot be read: {error}."
        ) from None
    if not key:
        raise ConfigError(f"ARK_API_KEY_FILE names {file}, which is empty.")
    return key


_PLAINER = {"int_parsing": "must be a whole number", "float_parsing": "must be a number"}


def _wrong_values(error: ValidationError, environment: Mapping[str, str], file: Path | None) -> str:
    lines = []
    for mistake in error.errors():
        name = str(mistake["loc"][0]).upper()
        origin = "the environment" if environment.get(name, "").strip() else str(file)
        shown = "" if name == "ARK_API_KEY" else f" is {mistake['input']!r}; it"
        what = _PLAINER.get(mistake["type"], mistake["msg"])
        what = what.removeprefix("Value error, ").removeprefix("Input should ")
        verb = "" if what.startswith("must") else "should "
        lines.append(f"{name}{shown} {verb}{what} (in {origin}).")
    return "\n".join(lines)


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, _VARIABLES, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
