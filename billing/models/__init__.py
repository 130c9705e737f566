from billing.models.approvals import RewardApproval
from billing.models.contracts import Basis, Contract, ContractComponent, ContractVersion, FeeBearer, TermsNotice
from billing.models.documents import (
    Document,
    DocumentFile,
    DocumentLine,
    DocumentSeries,
    DocumentStatus,
    DocumentType,
    FileAttempt,
    FileKind,
    LineComponent,
    LineKind,
    LineReason,
)
from billing.models.journal import JournalEntry, JournalTx, LedgerAccount
from billing.models.omissions import OmissionPass

__all__ = [
    "Basis",
    "Contract",
    "ContractComponent",
    "ContractVersion",
    "Document",
    "DocumentFile",
    "DocumentLine",
    "DocumentSeries",
    "DocumentStatus",
    "DocumentType",
    "FeeBearer",
    "FileAttempt",
    "FileKind",
    "JournalEntry",
    "JournalTx",
    "LedgerAccount",
    "LineComponent",
    "LineKind",
    "LineReason",
    "OmissionPass",
    "RewardApproval",
    "TermsNotice",
]
