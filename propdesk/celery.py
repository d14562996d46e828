"""The Celery application. Tasks take ids only and can be run any number of times."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "propdesk.settings")

app = Celery("propdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add("propdesk.lib.processes.worker:WorkerHeartbeat")
