from django.apps import AppConfig


class ProcessesConfig(AppConfig):
    name = "propdesk.lib.processes"
    label = "processes"
