"""Sync runs: what was read, and asking for a reading."""

from __future__ import annotations

from typing import Any

from django.db.models import prefetch_related_objects
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from mining import planner, runs
from mining.models import SyncRun
from mining.models.runs import Subject
from portal.api.base import Filter, Resource, operation
from portal.api.fields import (
    Choice,
    InputSerializer,
    OrNull,
    Words,
)


class SyncRunSerializer(serializers.Serializer[SyncRun]):
    id = serializers.CharField(source="code")
    credential = serializers.CharField(source="login.name", help_text="The label of the pool key whose login is read.")
    mining_account = serializers.SerializerMethodField(
        help_text="null: the run reads all accounts of the login. Runs for one account are not made yet."
    )
    subject = serializers.ChoiceField(choices=Subject.choices, help_text="What is read. key: a key is verified.")
    state = serializers.ChoiceField(
        choices=SyncRun.State.choices,
        help_text="queued: no worker has taken it yet. partial: done, but some records could not be taken in.",
    )
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    calls = serializers.IntegerField(help_text="Calls made to the pool.")
    rows_new = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    quarantined = serializers.IntegerField(help_text="Records quarantined for a person to look at.")
    unread_fields = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="By subject and field: values of no weight for identity or money (a time of payment, a rate, a hash)"
        " that could not be read and were left empty. Their records count.",
    )
    error = OrNull(help_text="What went wrong, in a sentence; null: nothing.")

    def get_mining_account(self, run: SyncRun) -> str | None:
        return None


class NewSyncSerializer(InputSerializer):
    only = Choice(
        choices=[(subject.value, subject.label) for subject in runs.SUBJECTS],
        required=False,
        help_text="Read only this subject; left out: all.",
    )


class OpenRunsSerializer(serializers.Serializer[Any]):
    data = SyncRunSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    next = serializers.URLField(allow_null=True, help_text="Always null: all runs are here.")


class SyncRuns(ListModelMixin, RetrieveModelMixin, Resource[SyncRun]):
    resource = "sync-runs"
    one = "sync run"
    model = SyncRun
    about = "Those of the last 30 days; longer the last of each kind, and those that brought something."
    related = ("login",)
    serializer_class = SyncRunSerializer
    filters = (
        Filter("credential", "login__name", Words, max_length=64, help_text="The label of the pool key."),
        Filter("subject", "subject", serializers.ChoiceField, Subject.choices),
        Filter("state", "state", serializers.ChoiceField, SyncRun.State.choices),
    )
    enums = {"SyncRunState": SyncRun.State, "SyncSubject": Subject}

    @operation(
        "Read the pool now",
        body=NewSyncSerializer,
        status=202,
        answer=OpenRunsSerializer,
        description="Queues a run for each login and subject. A run that is open already is answered, not doubled.",
    )
    def create(self, request: Request) -> Response:
        only = self.body().get("only")
        queued = planner.request_sync(self.access, only=Subject(only) if only else None, now=self.now)
        prefetch_related_objects(queued, "login")
        return Response({"data": self.get_serializer(queued, many=True).data, "next": None}, status=202)
