from django.db import migrations

from propdesk.lib.triggers import append_only

# Checked at commit, so that a transaction and its entries may be written one after the other.
BALANCED = """
CREATE FUNCTION brokers_ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint := (to_jsonb(NEW) ->> TG_ARGV[0])::bigint;
BEGIN
    IF (SELECT count(*) FROM brokers_ledgerentry WHERE transaction_id = checked) < 2 OR EXISTS (
        SELECT 1 FROM brokers_ledgerentry WHERE transaction_id = checked GROUP BY currency HAVING sum(amount) <> 0
    ) THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', checked USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE CONSTRAINT TRIGGER {table}_balanced AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION brokers_ledger_balanced('{column}')
"""

# What was moved before there was a ledger.
PAST = """
INSERT INTO brokers_ledgertransaction (operation_id, kind, subject, at)
SELECT id, kind, subject, coalesce(finished_at, updated_at)
FROM brokers_brokeroperation WHERE kind IN ('deposit', 'withdraw') AND status = 2 ORDER BY id
"""
PAST_ENTRIES = """
INSERT INTO brokers_ledgerentry (transaction_id, account, currency, amount)
SELECT t.id, side.account, g.currency, side.sign * CASE o.kind WHEN 'deposit' THEN o.amount ELSE -o.amount END
FROM brokers_ledgertransaction t
JOIN brokers_brokeroperation o ON o.id = t.operation_id
JOIN brokers_tradingaccount a ON a.id = o.account_id
JOIN brokers_accountgroup g ON g.id = a.group_id
CROSS JOIN LATERAL (VALUES
    (1, 'broker:' || a.connection_id || ':' || a.login),
    (-1, CASE WHEN o.order_id IS NULL THEN 'customer price' ELSE 'firm' END)
) AS side (sign, account)
"""


class Migration(migrations.Migration):
    dependencies = [("brokers", "0003_ledger_and_effects")]

    operations = [
        append_only("brokers_ledgertransaction"),
        append_only("brokers_ledgerentry"),
        migrations.RunSQL(BALANCED, "DROP FUNCTION brokers_ledger_balanced()"),
        migrations.RunSQL(
            TRIGGER.format(table="brokers_ledgertransaction", column="id"),
            "DROP TRIGGER brokers_ledgertransaction_balanced ON brokers_ledgertransaction",
        ),
        migrations.RunSQL(
            TRIGGER.format(table="brokers_ledgerentry", column="transaction_id"),
            "DROP TRIGGER brokers_ledgerentry_balanced ON brokers_ledgerentry",
        ),
        migrations.RunSQL(PAST, migrations.RunSQL.noop),
        migrations.RunSQL(PAST_ENTRIES, migrations.RunSQL.noop),
    ]
