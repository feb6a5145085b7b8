"""The first tables."""

from alembic import op

from antiphon.storage.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    # Before the first release there is one migration: the tables as they are. The next one after a release says what changes.
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
