from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "propdesk.lib.access"
    label = "access"
