from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Every door queues tasks, so every door needs the application. Not in portal/__init__.py: settings live
        # below it, and are read before there is a Django.
        # The events of sign-ins are heard from allauth's models, which are there only now.
        from portal import celery, security_events, sessions  # noqa: F401
