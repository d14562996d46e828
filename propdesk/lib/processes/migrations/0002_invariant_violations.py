from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("processes", "0001_heartbeats")]

    operations = [
        migrations.CreateModel(
            name="InvariantViolation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("invariant", models.CharField(help_text="I1 to I12.", max_length=4)),
                (
                    "row_id",
                    models.BigIntegerField(help_text="The row that is wrong, in the table that the detail names."),
                ),
                ("detail", models.TextField()),
                ("found_at", models.DateTimeField()),
                ("gone_at", models.DateTimeField(help_text="When it was no longer found.", null=True)),
            ],
            options={
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("gone_at", None)),
                        fields=("invariant", "row_id", "detail"),
                        name="violation_open_once",
                    )
                ],
            },
        ),
    ]
