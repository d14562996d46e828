"""Help texts: passes and pauses in great number halt enforcement as breaches do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("challenges", "0004_final_figures_once_flat")]

    operations = [
        migrations.AlterField(
            model_name="unitwatch",
            name="halted_at",
            field=models.DateTimeField(
                help_text="Enforcement is halted: one reading would take too many accounts out of trading.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="unitwatch",
            name="confirmed_until",
            field=models.DateTimeField(
                help_text="Staff confirmed the figures: until then many verdicts at once are enforced.", null=True
            ),
        ),
    ]
