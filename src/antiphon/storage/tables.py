"""The tables. A migration in ``migrations/versions`` makes them; ``tests/storage/test_migrations.py`` sees that both agree.

Times are UTC milliseconds. Documents are JSON text (JSONB in PostgreSQL): nothing searches inside them; what is searched by has a column.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB

from antiphon.calls.stores import LINKS
from antiphon.storage.values import KeptText, LongText

metadata = MetaData()
Document = JSON().with_variant(JSONB(), "postgresql")
_ID = KeptText(64)


def _text(name: str) -> Column[str]:
    return Column(name, KeptText(255), nullable=False, server_default="")


resources = Table(
    "resources",
    metadata,
    Column("kind", KeptText(32), nullable=False),
    Column("id", _ID, nullable=False),
    Column("org_id", _ID, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("updated_wall_ms", BigInteger, nullable=False),
    _text("changed_by"),
    _text("name"),
    *(_text(link) for link in LINKS),
    Column("body", Document, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
    Index("resources_newest", "org_id", "kind", "created_wall_ms"),
    Index("resources_by_session", "session_id"),
    Index("resources_by_number", "number"),
)
"""Documents of organisations, each in its newest version."""
_of_a_telephone = (resources.c.kind == "phone-number") & (resources.c.number != "")
Index(
    "resources_one_number", resources.c.number, unique=True, sqlite_where=_of_a_telephone, postgresql_where=_of_a_telephone
)  # fmt: skip

resource_versions = Table(
    "resource_versions",
    metadata,
    Column("kind", KeptText(32), nullable=False),
    Column("id", _ID, nullable=False),
    Column("org_id", _ID, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("updated_wall_ms", BigInteger, nullable=False),
    _text("changed_by"),
    Column("body", Document, nullable=False),
    PrimaryKeyConstraint("kind", "id", "version"),
)
"""Versions that were replaced."""

calls = Table(
    "calls",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("org_id", _ID, nullable=False),
    Column("type", KeptText(32), nullable=False),
    Column("status", KeptText(16), nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("updated_wall_ms", BigInteger, nullable=False),
    Column("started_wall_ms", BigInteger),
    Column("ended_wall_ms", BigInteger),
    *(
        _text(name)
        for name in (
            "ended_reason",
            "name",
            "assistant_id",
            "squad_id",
            "phone_number_id",
            "customer_number",
            "provider_call_id",
            "node",
        )
    ),
    Column("cost_usd", Float, nullable=False, server_default="0"),
    Column("body", Document, nullable=False),
    Index("calls_newest", "org_id", "created_wall_ms"),
    Index("calls_of_assistant", "org_id", "assistant_id", "created_wall_ms"),
    Index("calls_of_carrier", "provider_call_id"),
    Index("calls_by_status", "status"),
    Index("calls_ended", "ended_wall_ms"),
)
"""Calls, from the moment they were asked for."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", KeptText(128), primary_key=True),
    Column("kind", KeptText(16), nullable=False),
    Column("call_id", _ID, nullable=False),
    Column("org_id", _ID, nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("due_wall_ms", BigInteger, nullable=False),
    _text("owner"),
    Column("leased_until_ms", BigInteger, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("done", Integer, nullable=False, server_default="0"),
    _text("problem"),
    Column("facts", Document, nullable=False),
    Column("results", Document, nullable=False),
    Index("jobs_due", "done", "due_wall_ms"),
    Index("jobs_of_call", "call_id"),
)
"""Work after calls. ``owner`` has claimed a job until ``leased_until_ms``."""

users = Table(
    "users",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", KeptText(255), nullable=False, unique=True),
    Column("role", KeptText(16), nullable=False),
    Column("password_hash", KeptText(255), nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    _text("changed_by"),
)
"""People who may use the console."""

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("token_hash", _ID, primary_key=True),
    Column("user_id", _ID, nullable=False),
    Column("csrf", _ID, nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("expires_wall_ms", BigInteger, nullable=False),
    Index("user_sessions_of", "user_id", "created_wall_ms"),
)
"""Browsers in which they have signed in."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("wall_ms", BigInteger, nullable=False),
    _text("user_name"),
    _text("action"),
    _text("subject"),
    Index("audit_by_time", "wall_ms"),
    Index("audit_by_user", "user_name"),
    Index("audit_by_action", "action"),
)
"""What they changed and listened to."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("org_id", _ID, nullable=False),
    _text("call_id"),
    _text("assistant_id"),
    Column("type", _ID, nullable=False),
    Column("status", KeptText(16), nullable=False),
    Column("target", Document, nullable=False),
    Column("body", LongText, nullable=False),
    Column("timeout_ms", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_wall_ms", BigInteger, nullable=False),
    Column("due_wall_ms", BigInteger, nullable=False),
    Column("lease", _ID, nullable=False),
    Column("leased_until_wall_ms", BigInteger, nullable=False),
    Index("deliveries_due", "status", "due_wall_ms"),
    Index("deliveries_of_call", "call_id"),
)
"""Webhook messages that must arrive."""

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("delivery_id", _ID, nullable=False),
    Column("org_id", _ID, nullable=False),
    _text("call_id"),
    Column("wall_ms", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    _text("error"),
    Column("answer", LongText, nullable=False),
    Index("delivery_attempts_of", "delivery_id"),
    Index("delivery_attempts_newest", "org_id", "number"),
)
"""Requests that were made for them."""

request_log = Table(
    "request_log",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("org_id", _ID, nullable=False),
    Column("type", KeptText(16), nullable=False),
    Column("wall_ms", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    _text("method"),
    _text("url"),
    Column("status", Integer),
    _text("error"),
    _text("resource"),
    _text("webhook_type"),
    _text("call_id"),
    _text("assistant_id"),
    Index("request_log_newest", "org_id", "wall_ms"),
    Index("request_log_of_call", "call_id"),
)
"""Requests to the API, and to applications as a call went on, without their words."""
