"""Append-only tables: the database itself refuses UPDATE and DELETE."""

from django.db.migrations import RunSQL

_FUNCTION = """
CREATE OR REPLACE FUNCTION propdesk_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


def append_only(table: str, *, deletable: bool = False) -> RunSQL:
    """The migration operation that makes `table` append-only; with `deletable` only UPDATE is refused.

    TRUNCATE stays possible: it is how tests clean up.
    """
    trigger = f"{table}_append_only"
    refused = "UPDATE" if deletable else "UPDATE OR DELETE"
    when = f'CREATE TRIGGER "{trigger}" BEFORE {refused} ON "{table}"'
    create = f"{when} FOR EACH ROW EXECUTE FUNCTION propdesk_append_only()"
    return RunSQL(
        sql=[_FUNCTION, create],
        reverse_sql=[f'DROP TRIGGER "{trigger}" ON "{table}"'],
    )
