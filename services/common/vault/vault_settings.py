"""Settings of services that store what belongs to users."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from services.common.service_settings import PostgresDsn, ServiceSettings


def _together(value: Path | None, info: ValidationInfo) -> Path | None:
    given = [info.data.get(name) for name in ("pseudonym_key_file", "vault_dsn")]
    if len({one is None for one in (*given, value)}) > 1:
        raise ValueError(
            "pseudonym_key_file, vault_dsn and vault_key_file are given together or not at all"
        )
    return value


class VaultSettings(ServiceSettings):
    """Base of the settings of a service that stores what belongs to users."""

    vault_dsn: PostgresDsn | None = Field(
        default=None,
        description="PostgreSQL of the vault, which holds the wrapped keys of users, in a role of"
        " its own, for example postgresql://harken_keys@db/harken; with pseudonym_key_file and"
        " vault_key_file (docs/privacy.md)",
    )
    vault_key_file: Annotated[Path | None, AfterValidator(_together)] = Field(
        default=None,
        validate_default=True,
        description="file of master keys, which wrap the keys of users; `harken vault init` makes"
        " it. Read anew when it is replaced",
    )
