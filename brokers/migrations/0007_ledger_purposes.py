from django.db import migrations, models

# So far, payments and refunds of purchases were the only money that moved without an order.
PURPOSES = """
UPDATE brokers_brokeroperation
SET purpose = CASE WHEN subject LIKE 'purchase:%' THEN 'price' ELSE 'staff' END
WHERE kind IN ('deposit', 'withdraw') AND order_id IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("brokers", "0006_late_deposits_in_the_ledger"),
    ]

    operations = [
        migrations.AddField(
            model_name="brokeroperation",
            name="purpose",
            field=models.CharField(
                blank=True,
                choices=[
                    ("price", "price of a purchase"),
                    ("difference", "mended difference"),
                    ("staff", "staff movement"),
                ],
                db_default="",
                default="",
                help_text="Of money without an order.",
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="ledgertransaction",
            index=models.Index(fields=["at"], name="ledger_at"),
        ),
        migrations.RunSQL(PURPOSES, migrations.RunSQL.noop),
    ]
