from django.db import migrations

from propdesk.lib.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("purchases", "0001_initial")]

    operations = [append_only("purchases_purchaseevent")]
