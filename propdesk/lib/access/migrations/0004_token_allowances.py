from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0003_who_issued_and_revoked")]

    operations = [
        migrations.CreateModel(
            name="TokenAllowance",
            fields=[
                ("token_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("spent_until", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE access_tokenallowance SET UNLOGGED, SET (fillfactor = 50)",
            "ALTER TABLE access_tokenallowance SET LOGGED",
        ),
    ]
