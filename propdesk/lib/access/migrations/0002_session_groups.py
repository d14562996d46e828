from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

SESSIONS = ("manager", "dealer", "admin", "customer", "crm_manager", "crm_admin")


def create_groups(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """One Django group per documented session type."""
    group = apps.get_model("auth", "Group")
    for name in SESSIONS:
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
