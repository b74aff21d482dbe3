"""What alembic runs to migrate, or to compare: within the transaction of the connection it was given."""

from alembic import context

from service.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    user_module_prefix="tables.",
)
context.run_migrations()
