"""The files of issued documents: made once, failed with a reason, tried again, and in nobody's way."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from billing import evidence, files, pdf, tasks
from billing.files import FileState
from billing.models import Document, DocumentFile, FileAttempt, FileKind
from customers import tenancy
from customers.models import AuditEntry
from customers.tenancy import Access
from tests.billing.books import AFTER_OCTOBER, OCTOBER, open_story
from tests.refusals import refused
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def access(transactional_db: None, world: World) -> Access:
    return world.north.system


def issued(access: Access, number: int = 1) -> Document:
    with tenancy.access_context(access):
        story = open_story(access, name=f"Customer {number}")
        story.reward(1)
        return story.issue(OCTOBER, AFTER_OCTOBER)


def broken(monkeypatch: pytest.MonkeyPatch, *documents: Document) -> None:
    """What these documents say cannot be worked out."""
    content_of, codes = pdf.content_of, {document.code for document in documents}

    def breaks(document: Document) -> Any:
        if document.code in codes:
            raise KeyError("a snapshot of another age")
        return content_of(document)

    monkeypatch.setattr(pdf, "content_of", breaks)


def pdfs(access: Access) -> set[int]:
    with tenancy.access_context(access):
        return set(DocumentFile.objects.filter(kind=FileKind.PDF).values_list("document", flat=True))


def states(access: Access, document: Document) -> list[tuple[FileState, str]]:
    with tenancy.access_context(access):
        return [(status.state, status.problem) for status in files.statuses(access, [document])[document.pk]]


def test_both_files_are_made_once_and_kept(access: Access) -> None:
    document = issued(access)
    assert states(access, document) == [(FileState.BEING_MADE, "")] * 2

    for _ in range(2):  # a task may run twice
        tasks.make_files(access.provider.pk, document.pk)
    tasks.make_missing_files()

    assert states(access, document) == [(FileState.MADE, "")] * 2
    with tenancy.access_context(access):
        kept = {file.kind: bytes(file.content) for file in DocumentFile.objects.all()}
        assert kept == {"pdf": pdf.render(document), "csv": b"".join(evidence.csv_rows(document))}
        assert {file.sha256 for file in DocumentFile.objects.all()} == {
            hashlib.sha256(content).hexdigest() for content in kept.values()
        }
        assert not FileAttempt.objects.exists()


def test_lost_files_are_found_again_for_every_provider(access: Access, world: World) -> None:
    documents = [issued(tenant.system) for tenant in (world.north, world.south)]

    tasks.make_missing_files()

    assert [states(t.system, d)[0][0] for t, d in zip((world.north, world.south), documents, strict=True)] == [
        FileState.MADE
    ] * 2


@pytest.mark.parametrize(
    ("kind", "module", "maker"), [(FileKind.PDF, pdf, "content_of"), (FileKind.CSV, evidence, "csv_rows")]
)
def test_a_file_that_fails_says_why_and_the_other_one_is_made(
    access: Access, monkeypatch: pytest.MonkeyPatch, kind: FileKind, module: Any, maker: str
) -> None:
    def breaks(document: Document) -> Any:
        raise KeyError("a snapshot\x00of another age")

    document = issued(access)
    monkeypatch.setattr(module, maker, breaks)

    tasks.make_files(access.provider.pk, document.pk)

    expected = dict.fromkeys(FileKind, (FileState.MADE, "")) | {
        kind: (FileState.FAILED, "KeyError: 'a snapshot\\x00of another age'")
    }
    assert states(access, document) == list(expected.values())
    with tenancy.access_context(access), refused("document.file_failed"):
        files.content_of(access, document, kind)


def test_a_failed_file_is_tried_again_after_a_wait_that_grows(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    document = issued(access)
    with monkeypatch.context() as patch:
        broken(patch, document)
        now = timezone.now()
        for minutes, tries in ((0, 1), (4, 1), (6, 2), (14, 2), (17, 3)):
            with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
                tasks.make_missing_files()
            with tenancy.access_context(access):
                assert FileAttempt.objects.get().tries == tries

    with time_machine.travel(now + timedelta(hours=1), tick=False):
        tasks.make_missing_files()
    assert states(access, document) == [(FileState.MADE, "")] * 2


def test_a_person_has_it_tried_at_once(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    document = issued(access)
    with monkeypatch.context() as patch:
        broken(patch, document)
        tasks.make_files(access.provider.pk, document.pk)
    tasks.make_files(access.provider.pk, document.pk)
    assert states(access, document)[0][0] == FileState.FAILED

    with tenancy.access_context(access):
        files.retry(access, document, now=timezone.now())
        assert AuditEntry.objects.filter(action="document.files_retried", subject=document.code).count() == 1
    tasks.make_files(access.provider.pk, document.pk)

    assert states(access, document)[0] == (FileState.MADE, "")
    with tenancy.access_context(access), refused("document.no_file_failed"):
        files.retry(access, document, now=timezone.now())


def test_files_that_fail_starve_no_other(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, good = [issued(access, number) for number in (1, 2, 3)], issued(access, 4)
    monkeypatch.setattr(tasks, "SWEEP", 2)
    broken(monkeypatch, *failing)
    now = timezone.now()

    for minutes in (0, 1):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            tasks.make_missing_files()
    assert pdfs(access) == {good.pk}

    later = issued(access, 5)  # while the wait of all that failed is over too
    with time_machine.travel(now + timedelta(hours=1), tick=False):
        tasks.make_missing_files()
    assert pdfs(access) == {good.pk, later.pk}


def test_a_worker_that_ends_in_the_middle_is_told_and_in_nobodys_way(access: Access) -> None:
    document, now = issued(access), timezone.now()
    with tenancy.access_context(access):
        assert files.claim(access.provider.pk, document.pk, FileKind.PDF, now=now)  # and then nothing more

    for minutes, due in ((4, []), (6, [document.pk])):
        moment = now + timedelta(minutes=minutes)
        with tenancy.access_context(access):
            assert files.due(access.provider.pk, FileKind.PDF, now=moment, most=9) == due
    with tenancy.access_context(access):
        assert files.claim(access.provider.pk, document.pk, FileKind.PDF, now=moment)
    assert states(access, document)[0] == (FileState.FAILED, files.ENDED_SILENTLY)


def test_a_task_for_what_is_not_there_does_nothing(access: Access, world: World) -> None:
    document = issued(access)

    tasks.make_files(world.south.provider.pk, document.pk)  # the neighbour's: not visible there
    tasks.make_files(world.north.provider.pk, 999_999_999)

    with tenancy.access_context(access):
        assert not DocumentFile.objects.exists()
        assert not FileAttempt.objects.exists()
