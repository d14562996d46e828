from django.db import migrations

from propdesk.lib.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("brokers", "0001_initial")]

    operations = [append_only("brokers_accountorderevent"), append_only("brokers_brokeroperationevent")]
