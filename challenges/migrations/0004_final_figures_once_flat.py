from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("challenges", "0003_append_only_and_fillfactor")]

    operations = [
        migrations.AddField(
            model_name="enrollment",
            name="final_at",
            field=models.DateTimeField(
                help_text=(
                    "When its account was read disabled and flat: the final figures are from then, "
                    "and before from the verdict."
                ),
                null=True,
                verbose_name="flat since",
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("final_at", None), ("status__in", [2, 3, 4])),
                fields=["id"],
                name="enrollment_not_yet_flat",
            ),
        ),
    ]
