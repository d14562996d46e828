"""What gunicorn serves."""

import os
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "propdesk.settings")


class ChunkedBodies:
    """Gives a body sent in chunks the length that Django asks for: without one it would read nothing and lose the body.

    One byte more than may be sent is read at most, so that a longer body is refused as too large.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], *, most: int) -> None:
        self._application, self._most = application, most

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" and not environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(self._most + 1)
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
        return self._application(environ, start_response)


def _application() -> ChunkedBodies:
    django = get_wsgi_application()
    from django.conf import settings  # noqa: PLC0415  (read once Django is set up)

    return ChunkedBodies(django, most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


application = _application()
