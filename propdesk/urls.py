"""Every path. The client paths are written in full in the apps that serve them."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from programs.api.views import ProgramViewSet
from propdesk.lib.access.views import SignInView
from propdesk.lib.mng.views import MngView

handler404 = "propdesk.lib.mng.pages.not_found"
handler500 = "propdesk.lib.mng.pages.internal_error"

router = SimpleRouter()
router.register("programs", ProgramViewSet, basename="program")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("api/v1/mng", MngView.as_view(), name="mng"),
    path("api/v1/auth/token", SignInView.as_view(), name="auth-token"),
    path("api/v1/", include(router.urls)),
    path("api/schema", SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[]), name="schema"),
    path(
        "api/docs",
        SpectacularSwaggerView.as_view(url_name="schema", permission_classes=[], authentication_classes=[]),
        name="docs",
    ),
    path("", include("propdesk.lib.processes.urls")),
    path("", include("purchases.urls")),
    path("", include("challenges.urls")),
]
