"""How Alembic reaches the database: by the connection that ``Database.open`` hands it, in its transaction."""

from alembic import context

from antiphon.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
